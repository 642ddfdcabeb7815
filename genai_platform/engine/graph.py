"""The graph of steps: checked before anything runs, asked for selections, closures and the critical path."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from genai_platform.engine.step import Step
from genai_platform.errors import ConfigError, GenaiError


@dataclass(frozen=True)
class Selection:
    """What a command works on: the chosen steps in order, and those left out on request."""

    ids: tuple[str, ...]
    skipped: frozenset[str] = frozenset()


class Graph:
    """Steps, given in any order, and what they need.

    Raises:
        GenaiError: two steps share a name, a step needs one that does not exist, or steps need each other in a circle.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        found: dict[str, Step] = {}
        for step in steps:
            if step.id in found:
                raise GenaiError(f"two steps are called '{step.id}'", id="graph.duplicate")
            found[step.id] = step
        dangling = [
            f"'{step.id}' needs '{need}', which does not exist" for step in found.values() for need in step.needs if need not in found
        ]
        if dangling:
            raise GenaiError("; ".join(dangling), id="graph.dangling")
        sorter = TopologicalSorter({step.id: step.needs for step in found.values()})
        try:
            order = list(sorter.static_order())
        except CycleError as error:
            raise GenaiError(f"steps need each other in a circle: {' -> '.join(reversed(error.args[1]))}", id="graph.cycle") from None
        self._steps = {id: found[id] for id in order}
        self._users: dict[str, tuple[str, ...]] = {id: tuple(other for other in order if id in found[other].needs) for id in order}
        # Known only where something is removed: what a step outlives does not need it.
        self._outlived: dict[str, tuple[str, ...]] = {
            id: tuple(other for other in getattr(found[id], "outlives", ()) if other in found) for id in order
        }

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    def __len__(self) -> int:
        return len(self._steps)

    def __contains__(self, id: object) -> bool:
        return id in self._steps

    def __getitem__(self, id: str) -> Step:
        return self._steps[id]

    @property
    def ids(self) -> tuple[str, ...]:
        """All steps, each after what it needs."""
        return tuple(self._steps)

    @property
    def families(self) -> tuple[str, ...]:
        """The first part of each identifier, once."""
        return tuple(dict.fromkeys(id.partition(".")[0] for id in self._steps))

    def needs(self, id: str) -> tuple[str, ...]:
        """What must be present before ``id``."""
        return tuple(self._steps[id].needs)

    def removed_before(self, id: str) -> tuple[str, ...]:
        """What must be gone before ``id`` goes: what needs it, and what it outlives."""
        return (*self._users[id], *self._outlived[id])

    def closure(self, ids: Iterable[str], *, users: bool = False) -> tuple[str, ...]:
        """These steps with everything they need or, with ``users``, everything that needs them, in order."""
        reached: set[str] = set()
        open_ = list(ids)
        while open_:
            id = open_.pop()
            if id not in reached:
                reached.add(id)
                open_.extend(self._users[id] if users else self._steps[id].needs)
        return self.ordered(reached)

    def ordered(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The given steps, each after what it needs."""
        wanted = set(ids)
        return tuple(id for id in self._steps if id in wanted)

    def expand(self, names: Iterable[str]) -> tuple[str, ...]:
        """Steps for names of steps or families.

        Raises:
            ConfigError: a name is neither; the message gives the nearest one.
        """
        chosen: set[str] = set()
        for name in names:
            matching = [id for id in self._steps if id == name or id.startswith(f"{name}.")]
            if not matching:
                raise ConfigError(
                    f"there is no step or family '{name}'{self._near(name)}",
                    remedy=f"families: {', '.join(self.families)}; steps: {', '.join(self.ids)}",
                    id="usage.unknown_step",
                )
            chosen.update(matching)
        return self.ordered(chosen)

    def select(self, only: Sequence[str] = (), skip: Sequence[str] = ()) -> Selection:
        """The steps a command works on: all or ``only`` these, without those to ``skip``."""
        skipped = frozenset(self.expand(skip))
        chosen = self.expand(only) if only else self.ids
        return Selection(tuple(id for id in chosen if id not in skipped), skipped)

    def critical_path(self, ids: Iterable[str] | None = None, takes: Callable[[str], float] | None = None) -> tuple[tuple[str, ...], float]:
        """The longest chain among the given steps, and how long it is by ``takes``: the steps' typical minutes where that is not given."""
        chosen = self.ordered(self.ids if ids is None else ids)
        best: dict[str, tuple[float, tuple[str, ...]]] = {}
        for id in chosen:
            step = self._steps[id]
            before = max((best[need] for need in step.needs if need in best), default=(0.0, ()))
            best[id] = (before[0] + (takes(id) if takes else step.minutes), (*before[1], id))
        length, path = max(best.values(), default=(0.0, ()))
        return path, length

    def _near(self, name: str) -> str:
        near = difflib.get_close_matches(name, [*self.families, *self.ids], n=1)
        return f"; did you mean '{near[0]}'?" if near else ""
