"""What a step is: one thing that can be present or absent in the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from genai_platform.advice import Remedy


class State(StrEnum):
    """What an observation saw. ``UNKNOWN`` is never taken for ``ABSENT``; only ``PRESENT`` skips."""

    PRESENT = "present"
    ABSENT = "absent"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


Action = Literal["create", "update", "delete", "none"]


@dataclass(frozen=True)
class Change:
    """One line of a plan: what would happen to which object."""

    action: Action
    object: str
    detail: str = ""


@dataclass(frozen=True)
class Observation:
    """A state, the evidence for it and what ``apply`` would change, read from the world in one look."""

    state: State
    evidence: str
    remedy: Remedy = ""
    """The command that helps where the state could not be seen; empty when none is known."""
    changes: tuple[Change, ...] = ()
    """What ``apply`` would do, as far as this look has seen it; empty: nothing more is known than state and evidence."""
    list_changes: Callable[[], Sequence[Change]] | None = field(default=None, compare=False, repr=False)
    """Lists them in full where that takes more than the look did; only ``genai plan`` calls it. May raise ``GenaiError``."""

    @property
    def action(self) -> Action:
        """What ``apply`` would do to an only object in this state."""
        return {State.ABSENT: "create", State.DRIFTED: "update"}.get(self.state, "none")  # type: ignore[return-value]

    def with_change(self, object: str, detail: str = "") -> Observation:
        """The same with its one change, to the named object; the change's detail is the evidence unless another is given."""
        if self.action == "none":
            return self
        return replace(self, changes=(Change(self.action, object, detail or self.evidence),))


def absent(evidence: str) -> Observation:
    return Observation(State.ABSENT, evidence)


def present(evidence: str) -> Observation:
    return Observation(State.PRESENT, evidence)


def drifted(evidence: str) -> Observation:
    return Observation(State.DRIFTED, evidence)


class Progress(Protocol):
    """How a running step speaks, and hears that it should stop."""

    def say(self, text: str) -> None:
        """Show what is being done or awaited, and why, e.g. ``2/3 pods; last event: ImagePullBackOff``."""

    def check(self) -> None:
        """Raise ``Interrupted`` once the person asked to stop. Called inside every wait loop."""


class Silent:
    """Progress of work that has nobody to tell, and is never asked to stop."""

    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


@runtime_checkable
class Glancing(Protocol):
    """A step with a quicker look than ``observe``, which sees what exists and compares no settings. Raises as ``observe`` does."""

    def glance(self) -> Observation:
        """What ``genai status`` shows; evidence says what was not compared."""


class Step(Protocol):
    """One thing that can be present or absent.

    ``observe`` changes nothing. It raises ``NeverBuilt`` when what holds the step's objects does not exist, and any other
    ``GenaiError`` when it could not look; ``engine.observe.observe`` turns the two into *absent* and *unknown*, for all steps.
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

    def apply(self, progress: Progress) -> str: ...

    def destroy(self, progress: Progress) -> str: ...
