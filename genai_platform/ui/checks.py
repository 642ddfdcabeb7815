"""Checks on screen: which are still looking, what each saw, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from genai_platform.engine.events import StepFinished, StepSaid, StepStarted, now
from genai_platform.engine.running import AGAIN, QUIET
from genai_platform.ui.screen import Screen
from genai_platform.ui.text import duration, one_line, since

if TYPE_CHECKING:
    from genai_platform.checks.check import Result
    from genai_platform.ui.rich_view import LiveSteps


class FollowChecks:
    """Shows checks while they run; a context manager."""

    def __init__(self, screen: Screen, ids: Sequence[str]) -> None:
        self._screen = screen
        self._ids = list(ids)
        self._live: LiveSteps | None = None
        self._said: dict[str, tuple[str, float]] = {}
        """What each check was last heard to wait for, and when."""
        self._started, self._began = time.monotonic(), now()

    def __enter__(self) -> Self:
        if self._screen.live:
            from genai_platform.ui.rich_view import LiveSteps

            self._live = LiveSteps(self._screen.stream, self._ids, what="checks")
            self._live.__enter__()
            for id in self._ids:
                self._live(StepStarted(id, "probe"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            self._live = None

    def status(self, id: str, text: str) -> None:
        """What a check that is not satisfied yet saw."""
        if self._live is not None:
            self._live(StepSaid(id, text))
            return
        told, at = self._said.get(id, ("", self._started))
        quiet = time.monotonic() - at
        # In lines, a check is heard when it takes long, and not at each of its looks.
        if (text != told and self._screen.verbose) or quiet >= (AGAIN if told else QUIET):
            self._said[id] = text, time.monotonic()
            self._line(f"{id}: {one_line(text)}{since(self._began, now(), None)}")

    def result(self, result: Result) -> None:
        """A check has ended."""
        if self._live is not None:
            self._live(StepFinished(result.id, result.status, result.seconds, result.evidence))  # type: ignore[arg-type]
        else:
            self._line(f"{result.id}: {result.status} after {duration(result.seconds)}: {one_line(result.evidence)}")

    def summary(self, results: Sequence[Result], seconds: float) -> None:
        """What failed, with hints, and the count."""
        screen = self._screen
        for result in results:
            if result.status == "fail":
                screen.tell(f"fail: {result.id}: {result.evidence}")
                if result.hint:
                    screen.tell(f"  -> {result.hint}")
        for result in results:
            if result.status == "skip":
                screen.say(f"skip: {result.id}: {result.evidence}")
        count = {status: sum(1 for result in results if result.status == status) for status in ("pass", "fail", "skip")}
        screen.tell(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped in {duration(seconds)}")

    def _line(self, text: str) -> None:
        self._screen.say(f"{datetime.now():%H:%M:%S} {text}")
