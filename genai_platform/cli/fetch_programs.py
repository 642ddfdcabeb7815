"""Gets the programs that are missing, one line a program, before anything is built with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from genai_platform import programs
from genai_platform.engine.events import Bus, Sink, StepFinished, StepSaid, StepStarted
from genai_platform.errors import GenaiError, Interrupted, MissingError, unexpected
from genai_platform.tools.parallel import gather

if TYPE_CHECKING:
    from genai_platform.ui.screen import Screen

Say = Callable[[str], None]
Get = Callable[[Say], object]


def provide(screen: Screen, names: Sequence[str], further: Sequence[tuple[str, Get]] = ()) -> None:
    """Fetch or build what is missing; says nothing when nothing is.

    Args:
        names: the programs, as ``programs.PROGRAMS`` names them.
        further: what else is to be got, at the same time.

    Raises:
        MissingError: no source could give a program; the message says what each of them answered.
    """
    lanes: list[Sequence[tuple[str, Get]]] = [[(name, partial(programs.provide, name)) for name in names if not _there(name)], further]
    if any(lanes):
        fetch(screen, [lane for lane in lanes if lane])


def fetch(screen: Screen, lanes: Sequence[Sequence[tuple[str, Get]]]) -> None:
    """Work through the lanes at the same time, each in its order, and show how far they are.

    Raises:
        GenaiError: what the first failure raised; the other lanes were told to stop.
    """
    names = [name for lane in lanes for name, _ in lane]
    screen.say(f"getting what is missing, once: {', '.join(names)}")
    stop = threading.Event()
    with screen.follow(names, what="programs") as follow:
        sink = Bus([follow])
        # A compiler hears of an interruption at its next word; without the grace it would go on alone.
        gather(lanes, lambda lane: _lane(lane, sink, stop, screen.live), stop=stop, grace=10)


def _lane(lane: Sequence[tuple[str, Get]], sink: Sink, stop: threading.Event, live: bool) -> None:
    for name, get in lane:
        started = time.monotonic()
        sink(StepStarted(name, "apply"))
        try:
            get(_voice(name, sink, stop, live))
        except Exception as error:
            text = error.message if isinstance(error, GenaiError) else unexpected(error).message
            sink(StepFinished(name, "skipped" if isinstance(error, Interrupted) else "failed", time.monotonic() - started, text))
            raise
        sink(StepFinished(name, "done", time.monotonic() - started, "ready"))


def _voice(name: str, sink: Sink, stop: threading.Event, live: bool) -> Say:
    """What a fetch speaks through. Where every word is a line of its own, it is heard at most every twenty seconds."""
    last, heard = float("-inf"), ""

    def say(text: str) -> None:
        nonlocal last, heard
        if stop.is_set():
            raise Interrupted
        text = text.removeprefix(f"{name}: ")
        kind = text.split(",")[0]
        if live or time.monotonic() - last >= 20 or kind != heard:
            last, heard = time.monotonic(), kind
            sink(StepSaid(name, text))

    return say


def _there(name: str) -> bool:
    try:
        programs.find(name)
    except MissingError:
        return False
    return True
