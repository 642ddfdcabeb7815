"""Which world a command works on, the real clouds or a sandbox on this machine: decided here, once a command, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from genai_platform.config.names import NAME, NAME_LENGTH
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    import typer

    from genai_platform.cli.doctor.line import Line
    from genai_platform.cli.options import Options
    from genai_platform.cli.run import Run
    from genai_platform.config.layers import Loaded
    from genai_platform.config.target import Target
    from genai_platform.ui.screen import Screen


class Purpose(Enum):
    """What a command is about to do."""

    LOOK = auto()
    ACCOUNT = auto()
    """Look at a whole account: no environment need be configured, and nothing is written on this machine."""
    BUILD = auto()
    """Plan, or make some steps present: what is wrong is looked for before anything is changed."""
    UP = auto()
    """As ``BUILD``, and the world itself is made when there is none."""
    TEARDOWN = auto()
    """Remove some steps."""
    DOWN = auto()
    """Remove everything."""


class World(Protocol):
    """What commands need to know of where they work. Reads the settings at most once."""

    options: Options
    screen: Screen
    environment: str
    project: Path
    local: bool
    """Whether it exists on this machine alone."""
    programs: tuple[str, ...]
    """The programs that commands run, as ``programs.PROGRAMS`` names them."""
    room: int
    """Bytes that must be free on the disk before everything is built."""
    typical_minute: float
    """The seconds that a step takes here for each of its typical minutes on the real clouds, where nothing was measured yet."""
    price_lists: bool
    """Whether the clouds' price lists may be asked: not where nothing leaves this machine."""

    def __init__(self, options: Options, screen: Screen) -> None:
        from genai_platform.config.layers import project_folder

        self.options, self.screen = options, screen
        self.environment, self.project = options.environment, project_folder()

    @property
    def loaded(self) -> Loaded:
        """The settings as configured, and where each comes from. Raises ``ConfigError``."""

    @cached_property
    def configured(self) -> Target:
        """The target as far as the configuration tells it: nothing was verified, so nothing may be asked of it."""
        from genai_platform.cli.paths import state_path
        from genai_platform.config.endpoints import Endpoints
        from genai_platform.config.target import Target

        return Target(self.environment, self.loaded.settings, Endpoints(), state_path(self.project, self.environment))

    def absent(self) -> str:
        """Why there is nothing yet that could be looked at; empty when there may be something."""
        return ""

    def enter(self, purpose: Purpose) -> Target:
        """The verified target of a command.

        Raises:
            ConfigError: a fault in the configuration, no pinned account, or the credentials of another one.
            MissingError: a program or package that is needed is missing, or the sandbox does not run.
        """

    def describe(self) -> str:
        """Which world this is, for people: every table and question names it."""

    def costs(self, usd_per_hour: float) -> str:
        """What an hour costs here, for people."""

    def spent(self, told: str) -> str:
        """What was spent here, for people.

        Args:
            told: what it comes to on the real clouds, ``about $4.10 since 08:31``.
        """

    def exports(self, run: Run) -> None:
        """Print shell exports for clients of this environment."""

    def examine(self, run: Run) -> Iterator[Line]:
        """What ``doctor`` looks at in this world alone."""

    def before_down(self) -> None:
        """Before ``down`` writes anything: say what it will not touch. Raises ``ConfigError`` when that is all there is."""
        return

    def removed_at_rest(self, run: Run) -> str:
        """Under the lock: remove all of a world that does not run, and say so; empty when its steps must be removed one by one."""
        return ""

    def after_down(self, run: Run, *, kept: bool) -> None:
        """After everything was removed. ``kept``: some of it was kept for the next ``up``."""
        return


WITHOUT_ACCOUNT = "genai up --sandbox"
"""The command for a person who has no account of the real clouds."""


def add_to(app: typer.Typer) -> None:
    """Register the commands that only one world has."""
    from genai_platform.cli import sandbox

    app.add_typer(sandbox.app)


def environment(options: Options) -> str:
    """``default``, the name given, ``sandbox`` or ``sandbox-NAME``.

    Raises:
        ConfigError: the name cannot be part of names in the clouds, or is a sandbox's.
    """
    name = options.env or None
    if name and not (re.fullmatch(NAME, name) and len(name) <= NAME_LENGTH):
        raise ConfigError(
            f"--env {name!r}: a name is lower-case letters and digits, single hyphens between, a letter first, "
            f"at most {NAME_LENGTH} characters",
            remedy="give another name, e.g. --env dev",
            id="usage.environment",
        )
    if options.sandbox:
        if name in (None, "default", "sandbox"):
            return "sandbox"
        assert name
        return name if name.startswith("sandbox-") else f"sandbox-{name}"
    if name and (name == "sandbox" or name.startswith("sandbox-")):
        raise ConfigError(f"--env {name}: that is a sandbox's name", remedy="give --sandbox", id="usage.environment")
    return name or "default"


def choose(options: Options, screen: Screen) -> World:
    """The world that the options name.

    Args:
        screen: hears what is fetched or started.
    """
    if options.sandbox:
        from genai_platform.cli.worlds.sandbox import Sandbox

        return Sandbox(options, screen)
    from genai_platform.cli.worlds.clouds import Clouds

    return Clouds(options, screen)


def known(options: Options, screen: Screen, project: Path) -> Iterator[World]:
    """The world of each environment that has a file of settings or a state in a project's folder."""
    from genai_platform.cli.worlds import unvalidated
    from genai_platform.config.layers import FILE

    names = {*unvalidated.names(project), *(["default"] if (project / FILE).is_file() else [])}
    for name in sorted(names):
        sandbox = name == "sandbox" or name.startswith("sandbox-")
        with suppress(ConfigError):  # a name that no environment can have
            yield choose(replace(options, env=None if name in ("default", "sandbox") else name, sandbox=sandbox), screen)
