"""The prices that were fetched last, one file a cloud and region in the cache folder, shared by this user's environments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from genai_platform.config.settings import Settings
from genai_platform.config.unit_prices import TABLE, Prices, UnitPrice
from genai_platform.files import write_private
from genai_platform.programs.cache import cache_folder

DAYS = 30
"""How old kept prices may be; then the table is used again."""
SOURCES = {"aws": "AWS price list", "azure": "Azure retail price list"}


def keep(cloud: str, region: str, found: Mapping[str, float], today: date) -> Path:
    """Write fetched prices in the place of older ones of this cloud and region. Raises ``OSError``."""
    content = {"date": today.isoformat(), "usd_per_hour": dict(sorted(found.items()))}
    return write_private(_path(cloud, region), json.dumps(content, indent=2) + "\n")


def prices(settings: Settings, today: date) -> Prices:
    """The table's unit prices, replaced where newer ones of the configured regions are kept. Asks no cloud."""
    return {**TABLE, **_read("aws", settings.platform.region, today), **_read("azure", settings.azure.location, today)}


def _path(cloud: str, region: str) -> Path:
    return cache_folder() / "prices" / f"{cloud}-{region}.json"


def _read(cloud: str, region: str, today: date) -> dict[str, UnitPrice]:
    """What is kept and not too old; nothing where the file is missing, cannot be read, or holds something else."""
    assert re.fullmatch(r"[a-z0-9-]+", region)
    try:
        content = json.loads(_path(cloud, region).read_text(encoding="utf-8"))
        of = date.fromisoformat(content["date"])
        found = {unit: float(usd) for unit, usd in content["usd_per_hour"].items() if unit in TABLE and float(usd) > 0}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    if not timedelta(0) <= today - of <= timedelta(days=DAYS):
        return {}
    return {unit: UnitPrice(usd, region, of.isoformat(), SOURCES[cloud]) for unit, usd in found.items()}
