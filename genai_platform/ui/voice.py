"""How work outside any step speaks to the person."""

from __future__ import annotations

import time

from genai_platform.engine.events import now
from genai_platform.engine.running import AGAIN, QUIET
from genai_platform.ui.screen import Screen
from genai_platform.ui.text import since


class Voice:
    """A ``Progress`` on the screen. Ctrl-C raises where the work is, so there is nothing to stop here.

    Args:
        before: what each line begins with.
    """

    def __init__(self, screen: Screen, before: str = "") -> None:
        self._screen, self._before = screen, before
        self._said, self._began = "", ""
        self._spoke, self._pause = 0.0, QUIET

    def say(self, text: str) -> None:
        self._said, self._began, self._pause = text, now(), QUIET
        self._speak()

    def check(self) -> None:
        """Asked every moment of a wait: what is waited for is said again when it takes long."""
        if self._said and time.monotonic() - self._spoke >= self._pause:
            self._pause = AGAIN
            self._speak()

    def _speak(self) -> None:
        self._spoke = time.monotonic()
        self._screen.say(f"{self._before}{self._said}{since(self._began, now(), None)}")
