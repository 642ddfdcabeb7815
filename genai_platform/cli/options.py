"""What the options say that every command has."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from genai_platform.config.names import NAME, NAME_LENGTH
from genai_platform.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """The common options of one command."""

    env: str | None = None
    sandbox: bool = False
    set: tuple[str, ...] = ()
    yes: bool = False
    json: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def environment(self) -> str:
        """``default``, the name given, ``sandbox`` or ``sandbox-NAME``.

        Raises:
            ConfigError: the name cannot be part of names in the clouds, or is the sandbox's.
        """
        name = self.env or None
        if name and not (re.fullmatch(NAME, name) and len(name) <= NAME_LENGTH):
            raise ConfigError(
                f"--env {name!r}: a name is lower-case letters and digits, single hyphens between, a letter first, "
                f"at most {NAME_LENGTH} characters",
                remedy="give another name, e.g. --env dev",
                id="usage.environment",
            )
        if self.sandbox:
            if name in (None, "default", "sandbox"):
                return "sandbox"
            assert name
            return name if name.startswith("sandbox-") else f"sandbox-{name}"
        if name and (name == "sandbox" or name.startswith("sandbox-")):
            raise ConfigError(f"--env {name}: that is a sandbox's name", remedy="give --sandbox", id="usage.environment")
        return name or "default"

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
