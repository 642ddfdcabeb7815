"""The options that every command has. Each is declared here, once: as the parser reads it and as a command finds it in its ``Run``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Self, TypeAlias

import typer

from genai_platform.cli import completion

Texts: TypeAlias = tuple[str, ...]
"""An option that may be given several times."""


@dataclass(frozen=True)
class Options:
    """The common options of one command, as they were given."""

    env: Annotated[
        str | None,
        typer.Option(
            "--env", help="The environment to work on.", metavar="NAME", envvar="GENAI_ENV", autocompletion=completion.environments
        ),
    ] = None
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Work on a sandbox on this machine, without any cloud account.")] = False
    set: Annotated[Texts, typer.Option("--set", help="Set one value, e.g. litellm.replicas=2. Repeatable.", metavar="KEY=VALUE")] = ()
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False
    plain: Annotated[bool, typer.Option("--plain", help="Lines only, no live table.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors only.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="More detail.")] = False

    @classmethod
    def guessed(cls, arguments: Sequence[str]) -> Self:
        """As far as they can be told from arguments that could not be parsed: what an error document needs."""
        name = next((after for option, after in pairwise(arguments) if option == "--env"), None)
        name = name or next((text.removeprefix("--env=") for text in arguments if text.startswith("--env=")), None)
        return cls(env=name, sandbox="--sandbox" in arguments, json="--json" in arguments)

    @property
    def environment(self) -> str:
        """As ``worlds.environment`` names it. Raises ``ConfigError``."""
        from genai_platform.cli.worlds import environment

        return environment(self)

    @property
    def flags(self) -> str:
        """The options that choose the world, as one would type them again, with a leading blank."""
        parts = []
        if self.env:
            parts.append(f"--env {self.env}")
        if self.sandbox:
            parts.append("--sandbox")
        parts += [f"--set {shlex.quote(text)}" for text in self.set]
        return "".join(f" {part}" for part in parts)
