"""A world of things that can be there or not, and steps that make and remove them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from genai_platform.engine.step import Observation, Progress, State


@dataclass
class World:
    """What is there, what happened in which order, and what goes wrong."""

    there: set[str] = field(default_factory=set)
    states: dict[str, State] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    """Steps that were looked at with all their settings."""
    unseen: dict[str, Exception] = field(default_factory=dict)
    """Steps that cannot be looked at, and what a look raises."""
    silent: dict[str, threading.Event] = field(default_factory=dict)
    """Steps of which a look gets no answer until the event is set."""
    changed: set[str] = field(default_factory=set)
    """Steps of which a setting was changed by hand: a glance does not see it."""
    working: dict[str, Callable[[Progress], None]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, id: str, *needs: str, minutes: float = 1.0, limit: float = 30.0) -> FakeStep:
        return FakeStep(self, id, needs, minutes, limit)

    def note(self, text: str) -> None:
        with self.lock:
            self.happened.append(text)


@dataclass
class FakeStep:
    world: World
    id: str
    needs: tuple[str, ...]
    minutes: float
    limit: float

    def observe(self) -> Observation:
        with self.world.lock:
            self.world.compared.append(self.id)
        found = self._seen()
        return Observation(State.DRIFTED, f"{self.id} was changed") if self.id in self.world.changed else found

    def _seen(self) -> Observation:
        with self.world.lock:
            self.world.observed.append(self.id)
        if self.id in self.world.silent:
            self.world.silent[self.id].wait(60)
        if self.id in self.world.unseen:
            raise self.world.unseen[self.id]
        state = self.world.states.get(self.id, State.PRESENT if self.id in self.world.there else State.ABSENT)
        return Observation(state, f"{self.id} is {state.value}")

    def glance(self) -> Observation:
        return self._seen()

    def apply(self, progress: Progress) -> str:
        self.world.note(f"apply {self.id}")
        self._work(progress)
        self.world.there.add(self.id)
        self.world.states.pop(self.id, None)
        return f"made {self.id}"

    def destroy(self, progress: Progress) -> str:
        self.world.note(f"destroy {self.id}")
        self._work(progress)
        self.world.there.discard(self.id)
        self.world.states.pop(self.id, None)
        return f"removed {self.id}"

    def _work(self, progress: Progress) -> None:
        if self.id in self.world.working:
            self.world.working[self.id](progress)
        if self.id in self.world.broken:
            raise self.world.broken[self.id]
