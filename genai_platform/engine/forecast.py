"""How far a run is, and how long it still takes: heard from its events, reckoned with what steps usually take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

from genai_platform.engine.events import Event, RunStarted, StepFinished, StepStarted
from genai_platform.engine.graph import Graph
from genai_platform.engine.usual import Usual, Work, work_of


class Forecast:
    """A sink of the events of a run that works on the steps ``ids``; with ``destroying``, what needs a step goes before it."""

    def __init__(
        self, graph: Graph, ids: Iterable[str], usual: Usual, *, destroying: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        chosen = set(ids)
        before = graph.removed_before if destroying else graph.needs
        self._before: Mapping[str, Sequence[str]] = {id: [other for other in before(id) if other in chosen] for id in chosen}
        self._order = tuple(TopologicalSorter(self._before).static_order())
        self._minutes = {id: graph[id].minutes for id in self._order}
        self._usual, self._clock = usual, clock
        self._first: Work = "destroy" if destroying else "create"
        self._work: dict[str, Work] = {}
        self._began: dict[str, float] = {}
        self._ended: set[str] = set()
        self._started = clock()

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started = self._clock()
            case StepStarted(step=step, action=action, found=found):
                self._began.setdefault(step, self._clock())
                if work := work_of(action, found):
                    self._work[step] = work
            case StepFinished(step=step):
                self._ended.add(step)
            case _:
                pass

    def usual(self, id: str) -> float:
        """The seconds that a step takes: those of a look where it most likely is there already."""
        known: Work = "look" if self._first == "create" and id in self._usual.present else self._first
        return self._usual.seconds(id, self._minutes[id], self._work.get(id, known))

    def left(self) -> float:
        """Seconds until the last step ends, as far as one can tell. A step that takes longer than usual counts no more."""
        now, ends = self._clock(), dict[str, float]()
        for id in self._order:
            if id in self._ended:
                ends[id] = 0.0
                continue
            spent = now - self._began[id] if id in self._began else 0.0
            ends[id] = max((ends[other] for other in self._before[id]), default=0.0) + max(0.0, self.usual(id) - spent)
        return max(ends.values(), default=0.0)

    def share(self) -> float:
        """How much of the whole is done, from 0 to 1, which it is only at the end. It goes back when there turns out to be more to do."""
        if len(self._ended) == len(self._order):
            return 1.0
        spent = self._clock() - self._started
        return min(spent / max(spent + self.left(), 1.0), 0.99)
