"""How work outside any step speaks to the person."""

from __future__ import annotations

from genai_platform.ui.screen import Screen


class Voice:
    """A ``Progress`` on the screen. Ctrl-C raises where the work stands, so there is nothing to ask.

    Args:
        before: what each line begins with.
    """

    def __init__(self, screen: Screen, before: str = "") -> None:
        self._screen, self._before = screen, before

    def say(self, text: str) -> None:
        self._screen.say(f"{self._before}{text}")

    def check(self) -> None:
        return
