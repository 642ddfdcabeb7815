"""Where a chart is taken from: a path, a repository or an OCI address, always with a version."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from genai_platform.config.files import shipped
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target

SMALL = "genai/small-chart"
"""Annotation of this project's own small chart."""


@dataclass(frozen=True)
class ChartSource:
    """A chart that can be asked for."""

    reference: str
    """Chart name (with ``repository``), ``oci://`` address, or absolute path."""
    version: str
    repository: str | None = None
    key: str = ""
    """The setting that chose it, e.g. ``langfuse.chart.path``; empty for the pinned default."""
    small: bool = False
    """Whether this is this project's own small chart."""

    @property
    def local(self) -> bool:
        return self.reference.startswith("/")

    @property
    def place(self) -> str:
        """Where it is fetched from, in words."""
        return self.repository or self.reference

    def __str__(self) -> str:
        return f"{self.reference.rstrip('/').rpartition('/')[2]} {self.version}"


@cache
def pins() -> Mapping[str, Any]:
    """Which charts and images are installed when nothing else is said."""
    return tomllib.loads((shipped("helm") / "pins.toml").read_text("utf-8"))


def chart_sources(target: Target) -> tuple[ChartSource, ...]:
    """The places to try for Langfuse's chart, in order: the configured one alone, or the pinned public ones."""
    chart = target.settings.langfuse.chart
    pinned = pins()["langfuse"]
    if chart.path is not None:
        return (ChartSource(str(chart.path.expanduser().absolute()), chart.version, key="langfuse.chart.path"),)
    if chart.oci is not None:
        return (ChartSource(chart.oci, chart.version, key="langfuse.chart.oci"),)
    if chart.repository is not None:
        return (ChartSource(pinned["name"], chart.version, chart.repository, key="langfuse.chart.repository"),)
    return (ChartSource(pinned["name"], chart.version, pinned["repository"]), ChartSource(pinned["oci"], chart.version))


def small_chart(line: Literal[1, 2] = 1) -> ChartSource:
    """This project's own chart with the object names of a chart line. Not for real environments."""
    folder = shipped("helm") / "chart" if line == 1 else _assembled()
    version = yaml.safe_load((folder / "Chart.yaml").read_text("utf-8"))["version"]
    return ChartSource(str(folder), str(version), small=True)


@cache
def _assembled() -> Path:
    """The small chart of line 2: ``helm/chart2`` with the templates it shares, in a folder that ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="genai-chart-")
    atexit.register(folder.cleanup)
    chart = Path(folder.name) / "langfuse"
    shutil.copytree(shipped("helm") / "chart2", chart)
    for name in ("_env.tpl", "_names.tpl", "langfuse.yaml"):  # what both lines have
        shutil.copy(shipped("helm") / "chart" / "templates" / name, chart / "templates" / name)
    return chart


def may_be_small(target: Target) -> bool:
    """The one place that decides: only where these are not the real clouds, and no source is configured."""
    return not target.endpoints.real and not chart_sources(target)[0].key


def pinned(name: str) -> tuple[tuple[ChartSource, ...], str]:
    """Another chart of ``pins.toml`` (``cert_manager``, ``clickhouse_operator``): the places to try, in order, and its namespace."""
    entry = pins()[name]
    repository = (ChartSource(entry["name"], entry["version"], entry["repository"]),) if "repository" in entry else ()
    return (*repository, ChartSource(entry["oci"], entry["version"])), entry["namespace"]


def support(settings: Settings, today: date) -> str | None:
    """Until when the configured chart line gets security fixes, and how to move on; ``None`` while no end is announced."""
    line = settings.langfuse.chart.line
    until: date | None = pins()["langfuse"][f"line{line}"].get("security_fixes_until")
    if until is None:
        return None
    newer = pins()["langfuse"]["line2"]["chart"]
    gets = "gets security fixes until" if today <= until else "has had no security fixes since"
    return (
        f"Langfuse 3 (chart 1.5) {gets} {until.isoformat()}; to move to Langfuse 4 with all traces: set langfuse.chart.version to "
        f'"{newer}", then run: genai down --keep-data, and: genai up'
    )
