"""The unit prices that commands reckon with: kept ones, else the table; and how they are fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from genai_platform.advice import typed
from genai_platform.config import prices
from genai_platform.config.settings import Settings
from genai_platform.config.unit_prices import TABLE, Prices
from genai_platform.errors import ConfigError, GenaiError
from genai_platform.tools.price_lists import kept

if TYPE_CHECKING:
    from genai_platform.cli.run import Run


def current(settings: Settings) -> Prices:
    """Unit prices for these settings, without asking any cloud."""
    return kept.prices(settings, today())


def usd_per_hour(settings: Settings, present: Iterable[str] | None = None) -> float:
    """What these settings cost an hour; with ``present``, those steps of it."""
    return prices.usd_per_hour(settings, present, current(settings))


def today() -> date:
    """In UTC, as everything that is kept."""
    return datetime.now(UTC).date()


def refresh(run: Run) -> bool:
    """Ask the price lists of the configured regions and keep what they say. Each that cannot be asked is a warning.

    Returns:
        whether all could be asked

    Raises:
        ConfigError: this world asks no price list.
    """
    if not run.world.price_lists:
        raise ConfigError(
            "no price list is asked from here: everything stays on this machine",
            remedy="leave out --refresh, or ask for an environment of the real clouds",
            id="cost.refresh",
        )
    complete = True
    for cloud, region, ask in _lists(run):
        run.screen.say(f"asking the {kept.SOURCES[cloud]} for {region}")
        try:
            found = ask()
            kept.keep(cloud, region, found, today())
        except GenaiError as error:
            complete = False
            remedy = f" ({typed(error.remedy, run.flags)})" if error.remedy else ""
            run.screen.warn(f"{error.message}; the prices stay as they were{remedy}")
        except OSError as error:
            complete = False
            run.screen.warn(f"could not keep the prices of the {kept.SOURCES[cloud]}: {error.strerror or error}")
        else:
            _tell_missing(run, cloud, found)
    return complete


def _lists(run: Run) -> Iterator[tuple[str, str, Callable[[], dict[str, float]]]]:
    import httpx

    from genai_platform.tools.price_lists import aws, azure

    def ask_azure() -> dict[str, float]:
        with httpx.Client(timeout=30) as client:
            return azure.fetch(client, run.settings.azure.location)

    yield "aws", run.settings.platform.region, lambda: aws.fetch(run.clients.aws, run.settings.platform.region)
    yield "azure", run.settings.azure.location, ask_azure


def _tell_missing(run: Run, cloud: str, found: dict[str, float]) -> None:
    of_cloud = [unit for unit in TABLE if unit.startswith("apim-") == (cloud == "azure")]
    if missing := [unit for unit in of_cloud if unit not in found]:
        run.screen.warn(f"not found in the {kept.SOURCES[cloud]}, so the table's price stays: {', '.join(missing)}")
