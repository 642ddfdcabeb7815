"""What a step is: one thing that can be present or absent in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from genai_platform.advice import Remedy


class State(StrEnum):
    """What a probe saw. ``UNKNOWN`` is never taken for ``ABSENT``; only ``PRESENT`` skips."""

    PRESENT = "present"
    ABSENT = "absent"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observation:
    """A state and the evidence for it, read from the world."""

    state: State
    evidence: str
    remedy: Remedy = ""
    """The command that helps where the state could not be seen; empty when none is known."""


@dataclass(frozen=True)
class Change:
    """One line of a plan: what would happen to which object."""

    action: Literal["create", "update", "delete", "none"]
    object: str
    detail: str = ""


class Progress(Protocol):
    """How a running step speaks, and hears that it should stop."""

    def say(self, text: str) -> None:
        """Show what is being done or awaited, and why, e.g. ``2/3 pods; last event: ImagePullBackOff``."""

    def check(self) -> None:
        """Raise ``Interrupted`` once the person asked to stop. Called inside every wait loop."""


class Step(Protocol):
    """One thing that can be present or absent.

    ``probe`` never raises for an expected failure to look: it answers ``UNKNOWN`` with the reason.
    ``apply`` and ``destroy`` are idempotent, return one line of evidence, and raise ``GenaiError``.
    """

    @property
    def id(self) -> str:
        """Stable, dotted, lower-case: ``family.name``."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Identifiers of the steps that must be present first."""

    @property
    def minutes(self) -> float:
        """Typical duration on the real clouds, for ``plan`` and the critical path."""

    @property
    def limit(self) -> float:
        """Time limit of ``apply`` or ``destroy`` in seconds."""

    def observe(self) -> Observation: ...

    def plan(self) -> Sequence[Change]: ...

    def apply(self, progress: Progress) -> str: ...

    def destroy(self, progress: Progress) -> str: ...
