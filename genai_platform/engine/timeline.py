"""What a run did when, from the journal: one bar a step, and the chain of steps that decided how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A step, in seconds since its run began."""

    step: str
    start: float
    end: float
    outcome: str
    """Empty: the run ended before the step did."""
    critical: bool = False
    """Whether it belongs to the chain that decided how long the run took."""


@dataclass(frozen=True)
class Timeline:
    """One run."""

    began: datetime
    seconds: float
    finished: bool
    bars: tuple[Bar, ...]
    """By their start."""

    @property
    def critical_path(self) -> tuple[Bar, ...]:
        """In the order in which they waited for each other."""
        return tuple(bar for bar in self.bars if bar.critical)


def last_up(events: Iterable[Mapping[str, Any]], needs: Callable[[str], Sequence[str]]) -> Timeline | None:
    """The last ``up`` that changed something; the last one at all where none did; None where there was none.

    Args:
        events: of a journal, oldest first.
        needs: what a step needs; empty for one that is not known.
    """
    runs: list[list[Mapping[str, Any]]] = []
    for event in events:
        if event.get("event") == "run.started":
            runs.append([])
        if runs:
            runs[-1].append(event)
    ups = [run for run in runs if str(run[0].get("command")).split()[1:] == ["up"]]
    busy = [run for run in ups if any(event.get("outcome") in ("done", "failed") for event in run)]
    return _timeline((busy or ups)[-1], needs) if ups else None


def _timeline(run: Sequence[Mapping[str, Any]], needs: Callable[[str], Sequence[str]]) -> Timeline:
    began, last = (datetime.fromisoformat(str(event["time"])) for event in (run[0], run[-1]))
    starts: dict[str, float] = {}
    ends: dict[str, tuple[float, str]] = {}
    for event in run:
        at = (datetime.fromisoformat(str(event["time"])) - began).total_seconds()
        if event["event"] == "step.started":
            starts.setdefault(str(event["step"]), at)
        elif event["event"] == "step.finished":
            ends[str(event["step"])] = at, str(event["outcome"])
    seconds = (last - began).total_seconds()
    path = _critical({id: end for id, (end, _) in ends.items() if id in starts}, needs)
    bars = [Bar(id, start, *ends.get(id, (seconds, "")), critical=id in path) for id, start in starts.items()]
    finished = run[-1]["event"] == "run.finished"
    return Timeline(began, seconds, finished, tuple(sorted(bars, key=lambda bar: (bar.start, bar.end))))


def _critical(ends: Mapping[str, float], needs: Callable[[str], Sequence[str]]) -> set[str]:
    """From the step that ended last back to the first: of what each needed, the one that came last."""
    path: set[str] = set()
    step = max(ends, key=lambda id: ends[id], default=None)
    while step is not None:
        path.add(step)
        step = max((need for need in needs(step) if need in ends), key=lambda id: ends[id], default=None)
    return path
