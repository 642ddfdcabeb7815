"""Waiting for the world: one loop that listens to Ctrl-C, says what it waits for, and gives up in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError, WaitTimeout

T = TypeVar("T")
L = TypeVar("L")
_FIRST = 0.1
"""Seconds between the first two looks; each later pause is a quarter longer, so that an answer is seen a quarter late at most."""


def wait_for(
    look: Callable[[], T | None], progress: Progress, what: Callable[[], str], timeout: float, interval: float = 2.0, *,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> T:  # fmt: skip
    """Look until there is an answer other than ``None``.

    Args:
        look: one look at the world. What it raises ends the wait at once (so a caller can fail early).
        progress: hears the status whenever it changes, and is asked every turn whether to stop.
        what: what is awaited and how far it is, e.g. ``2/3 pods; last event: ImagePullBackOff``. Called after each look.
        timeout: seconds until giving up.
        interval: seconds between looks once the wait has become long.

    Raises:
        WaitTimeout: the time ran out; the message carries the last status.
    """
    deadline = clock() + timeout
    said, pause = "", _FIRST
    while True:
        progress.check()
        answer = look()
        if answer is not None:
            return answer
        status = what()
        if status != said:
            progress.say(status)
            said = status
        left = deadline - clock()
        if left <= 0:
            text = f"gave up after {timeout:.0f} s: {status}"
            raise WaitTimeout(text, remedy="run the same command again: it goes on where it stopped", id="wait.timeout")
        # Short naps, so that Ctrl-C is heard within a second even where looks are rare.
        nap_end = clock() + min(pause, interval, left)
        pause *= 1.25
        while (rest := nap_end - clock()) > 0:
            sleep(min(rest, 0.5))
            progress.check()


def wait_accepted(
    send: Callable[[], object], refused: tuple[type[GenaiError], ...], progress: Progress, what: Callable[[str], str], timeout: float,
    interval: float = 2.0,
) -> None:  # fmt: skip
    """Send again while it is refused with one of these errors. ``what`` is told the last one's message. Else as ``wait_for``."""
    said = ""

    def sent() -> bool | None:
        nonlocal said
        try:
            send()
        except refused as error:
            said = error.message
            return None
        return True

    wait_for(sent, progress, lambda: what(said), timeout, interval)


def wait_while(look: Callable[[], L], progress: Progress, what: Callable[[L], str], timeout: float, interval: float = 2.0) -> None:
    """Look while there is an answer: until it is empty, false or ``None``. ``what`` is told the last one. Else as ``wait_for``."""
    left: L

    def over() -> bool | None:
        nonlocal left
        left = look()
        return None if left else True

    wait_for(over, progress, lambda: what(left), timeout, interval)
