"""What happens during a run, as typed events. A listener is a callable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from genai_platform.advice import Remedy

Outcome = Literal["done", "present", "absent", "retained", "failed", "skipped"]
Action = Literal["probe", "apply", "destroy"]


def now() -> str:
    """UTC, to the millisecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class StepResult:
    """How a step ended."""

    id: str
    outcome: Outcome
    seconds: float
    evidence: str
    remedy: Remedy = ""


@dataclass(frozen=True)
class RunStarted:
    command: str
    environment: str
    steps: tuple[str, ...]
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class StepStarted:
    step: str
    action: Action
    found: str = ""
    """The state that was observed before; empty while it is not known."""
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class StepSaid:
    """What a step is doing or waiting for. Said again while it goes on and nothing else is said."""

    step: str
    text: str
    since: str = ""
    """When the step began."""
    usual_seconds: float | None = None
    """How long it usually takes; None: not known."""
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class StepFinished:
    step: str
    outcome: Outcome
    seconds: float
    evidence: str
    remedy: str = ""
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class StopAsked:
    """Ctrl-C: no new steps are started."""

    running: tuple[str, ...]
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class RunFinished:
    ok: bool
    seconds: float
    time: str = field(default_factory=now)


Event = RunStarted | StepStarted | StepSaid | StepFinished | StopAsked | RunFinished
Sink = Callable[[Event], None]
_NAMES: Mapping[type[Any], str] = {
    RunStarted: "run.started",
    StepStarted: "step.started",
    StepSaid: "step.said",
    StepFinished: "step.finished",
    StopAsked: "stop.asked",
    RunFinished: "run.finished",
}


def document(event: Event) -> dict[str, Any]:
    """The event as the journal and ``--events`` write it."""
    content = asdict(event)
    return {
        "time": content.pop("time"),
        "event": _NAMES[type(event)],
        **{key: value for key, value in content.items() if value not in ("", None)},
    }


class Bus:
    """Hands each event to every sink, one at a time, whichever thread it comes from.

    A sink that cannot write any more (its disk is full, its reader has gone) hears nothing further: who listens must not
    stop the work. ``lost`` holds why.
    """

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        self._sinks = list(sinks)
        self._lock = threading.RLock()
        self.lost: list[OSError] = []

    def add(self, sink: Sink) -> None:
        """One more that wants to know."""
        with self._lock:
            self._sinks.append(sink)

    def __call__(self, event: Event) -> None:
        with self._lock:
            for sink in tuple(self._sinks):
                try:
                    sink(event)
                except OSError as error:
                    self._sinks.remove(sink)
                    self.lost.append(error)
