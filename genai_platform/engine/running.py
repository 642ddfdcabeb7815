"""A step at work: the progress that it is given, and what is said of it while it says nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from genai_platform.engine.events import Bus, StepSaid, StepStarted, now
from genai_platform.engine.step import State, Step
from genai_platform.engine.usual import Usual, Work, work_of
from genai_platform.errors import Interrupted, StepError

QUIET, AGAIN = 5.0, 60.0
"""Seconds after which a wait is long, so that it is spoken of, and after which what says nothing new is spoken of again."""


@dataclass
class Running:
    """One step of a run; a ``Progress``.

    Args:
        work: what the run does with it, as far as is known before it was looked at.
        stop: set once the person asked to stop.
        usual: how long it takes.
    """

    step: Step
    work: Work
    bus: Bus
    stop: threading.Event
    clock: Callable[[], float]
    usual: Usual
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self._began = self._spoke = self.clock()
        self._since = now()
        self._deadline = self.started + self.step.limit
        self._said, self._doing = "", "looking at what exists"

    def begin(self, action: Literal["apply", "destroy"], found: State) -> None:
        """The look is over: from now on its time limit counts."""
        self.bus(StepStarted(self.step.id, action, found.value))
        self.work = work_of(action, found.value) or self.work
        self._began = self._spoke = self.clock()
        self._deadline = self._began + self.step.limit
        self._doing = "at work"

    def say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._speak()

    def check(self) -> None:
        if self.stop.is_set():
            raise Interrupted
        if self.clock() > self._deadline:
            raise StepError(
                f"not finished after {self.step.limit:.0f} s{f'; last: {self._said}' if self._said else ''}",
                remedy="run the same command again: it goes on where it stopped",
                id="step.timeout",
            )

    def remind(self) -> None:
        """Say again what the step does or waits for: once it takes long, and then when nothing was said for a while."""
        long = self._began + QUIET
        if self.clock() >= (long if self._spoke < long else self._spoke + AGAIN):
            self._speak()

    def _speak(self) -> None:
        self._spoke = self.clock()
        takes = self.usual.seconds(self.step.id, self.step.minutes, self.work)
        self.bus(StepSaid(self.step.id, self._said or self._doing, self._since, round(takes, 1)))
