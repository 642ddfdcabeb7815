"""The images of the data room: ClickHouse for Langfuse's chart, and PostgreSQL's programs for jobs."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from genai_platform.sandbox.data import programs
from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.layout import SandboxLayout


def _clickhouse(layout: SandboxLayout, container: Container) -> list[str]:
    return [sys.executable, "-m", "genai_platform.sandbox.data.clickhouse", "--address", container.address]


def _postgres(layout: SandboxLayout, container: Container) -> list[str]:
    """The command as given: a shell script, or one of PostgreSQL's programs."""
    return [*container.command, *container.args] or ["psql"]


def _postgres_variables(layout: SandboxLayout, container: Container) -> Mapping[str, str]:
    path = container.env.get("PATH") or os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    return {"PATH": f"{programs.folder(layout)}{os.pathsep}{path}", "LANG": "C.UTF-8", "PSQLRC": os.devnull}


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


IMAGES: tuple[Image, ...] = (
    Image("bitnamilegacy/clickhouse", "real", f"chDB {_version('chdb')}", _clickhouse),
    Image("bitnami/clickhouse", "real", f"chDB {_version('chdb')}", _clickhouse),
    Image("clickhouse/clickhouse-server", "real", f"chDB {_version('chdb')}", _clickhouse),
    Image("docker/library/postgres", "real", "16", _postgres, _postgres_variables),
    Image("library/postgres", "real", "16", _postgres, _postgres_variables),
)
