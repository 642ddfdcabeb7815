"""How long steps usually take here: as earlier runs in this environment's journal took, else their typical minutes.

The one place for it: ``plan``, the lines and the table of a run, and the bar above them ask here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from genai_platform.engine.graph import Graph
from genai_platform.engine.presence import presence
from genai_platform.engine.step import State

Work = Literal["create", "update", "destroy", "look"]
"""What a run does with a step; each takes a time of its own. A step that is there already is only looked at."""
_LOOK = 2.0
"""Seconds of a look that was never measured."""
_LAST = 5
"""So many of the latest times count: sizes and clouds change."""


def work_of(action: str, found: str) -> Work | None:
    """The kind of work that ``StepStarted`` tells of; None while a step is only looked at."""
    if action == "destroy":
        return "destroy"
    if action != "apply":
        return None
    return "update" if found == State.DRIFTED else "create"


@dataclass(frozen=True)
class Usual:
    """Durations in seconds.

    Attributes:
        measured: by step and work, as earlier runs took.
        per_minute: the seconds that a step takes in this world for each of its typical minutes on the real clouds.
        present: the steps that the journal takes to be present: a run most likely has nothing to do there.
    """

    measured: Mapping[tuple[str, Work], float] = field(default_factory=dict)
    per_minute: float = 60.0
    present: frozenset[str] = frozenset()

    def seconds(self, id: str, minutes: float, work: Work) -> float:
        """How long this work on a step takes. ``minutes``: the step's typical ones."""
        known = self.measured.get((id, work), _LOOK if work == "look" else None)
        # An update is at most what creating takes.
        return known if known is not None else self.measured.get((id, "create"), minutes * self.per_minute)

    def critical_path(self, graph: Graph, works: Mapping[str, Work]) -> tuple[tuple[str, ...], float]:
        """The longest chain among some steps, with what is done to each, and its seconds."""
        return graph.critical_path(works, lambda id: self.seconds(id, graph[id].minutes, works[id]))


def usual(events: Iterable[Mapping[str, Any]], per_minute: float = 60.0) -> Usual:
    """Read a journal's events, oldest first."""
    events = list(events)
    took: dict[tuple[str, Work], list[float]] = defaultdict(list)
    works: dict[str, Work] = {}
    for event in events:
        step = str(event.get("step"))
        match event.get("event"):
            case "run.started":
                works = {}
            case "step.started" if work := work_of(str(event.get("action")), str(event.get("found", ""))):
                works[step] = work
            case "step.finished" if event.get("outcome") == "present":
                took[step, "look"].append(float(event.get("seconds", 0.0)))
            case "step.finished" if event.get("outcome") == "done" and step in works:
                took[step, works[step]].append(float(event.get("seconds", 0.0)))
    there = presence(events)
    measured = {key: float(median(seconds[-_LAST:])) for key, seconds in took.items()}
    return Usual(measured, per_minute, frozenset(there.began) | frozenset(there.unknown))
