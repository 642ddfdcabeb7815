"""A part of the sandbox: one long-running process of this project or one real server, and how to see that it is up."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from genai_platform.sandbox.layout import SandboxLayout

Kind = Literal["real", "stand-in", "simulated"]


@dataclass(frozen=True)
class PartStatus:
    """One line of ``genai sandbox status``."""

    name: str
    kind: Kind
    version: str
    pid: int | None
    port: int | None
    state: Literal["running", "stopped", "ended", "installed", "missing"]
    """``ended``: nobody stopped it. The last two are for a program that runs only when it is called."""


class Part(Protocol):
    """What the supervisor starts, watches and stops. Parts start in the order of ``sandbox/parts.py``."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def version(self) -> str: ...

    @property
    def port(self) -> str | None:
        """The name of its port in ``SandboxLayout.ports``. One that listens on more names them in ``further_ports``."""

    def prepare(self, layout: SandboxLayout) -> None:
        """Make what must lie on disk before the start (certificates, folders). Idempotent."""

    def argv(self, layout: SandboxLayout) -> list[str]:
        """The command line. It stays in the foreground, ends on SIGTERM within 5 s, and holds no secret."""

    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        """Environment variables in addition to a small clean environment (PATH, HOME, LANG, TMPDIR)."""

    def ready(self, layout: SandboxLayout) -> bool:
        """Whether it answers. Called every 100 ms until true or its time limit passed."""


class PythonPart:
    """A stand-in that is a module of this package. It is told the sandbox's folder, and needs no environment variables."""

    module: str
    kind: Kind = "stand-in"

    def argv(self, layout: SandboxLayout) -> list[str]:
        return [sys.executable, "-m", self.module, "--layout", str(layout.root)]

    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return {}


def told_layout() -> SandboxLayout:
    """In the process of a ``PythonPart``: the sandbox it was told of."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layout", type=Path, required=True)
    return SandboxLayout.open(parser.parse_args().layout)


def ports_of(part: Part) -> tuple[str, ...]:
    """The names of all ports a part listens on, the one it shows first."""
    further: tuple[str, ...] = getattr(part, "further_ports", ())
    return further if part.port is None else (part.port, *further)
