"""What a check is: it looks at the running platform from outside and says what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Outcome:
    """What one look gave. ``fail`` is looked at again until the check's deadline; ``skip`` and ``pass`` are final."""

    status: Literal["pass", "fail", "skip"]
    evidence: str
    hint: str = ""
    """On failure: what is likely wrong and the command that fixes it."""
    final: bool = False
    """A failure that looking again cannot change: what is looked at was never made."""


@dataclass(frozen=True)
class Result:
    """The outcome of a finished check, as the reports show it."""

    id: str
    status: Literal["pass", "fail", "skip"]
    evidence: str
    seconds: float
    hint: str


class Check(Protocol):
    @property
    def id(self) -> str:
        """Stable, dotted, lower-case."""

    @property
    def deadline(self) -> float:
        """Seconds until a failing look becomes the result."""

    def look(self) -> Outcome:
        """Look once. An exception counts as ``fail`` with its text as evidence."""
