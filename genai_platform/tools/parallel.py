"""Works on many things, a few at a time, in threads that nothing waits for once the person wants to stop."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError, Interrupted, Unreachable

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8
"""Graph, Key Vault and LiteLLM all slow down who asks for more."""
_BEAT = 0.5
_GRACE = 300.0
"""Seconds for which an interrupted ``each`` waits for what it began: one call, with its own time limit and its repetitions."""


def begin(work: Callable[[], R], name: str = "work") -> Future[R]:
    """Do one thing at the same time as others; its ``result()`` gives what it gives, or raises what it raises."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    # A daemon, unlike a pool's threads: the interpreter does not wait for it when it ends.
    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def answer(work: Future[R], seconds: float, what: str) -> R:
    """What was begun, if it is there within so many seconds; else it is left alone. ``what``: who was asked, for the message.

    Raises:
        Unreachable: there was no answer; what ``work`` raises.
    """
    try:
        return work.result(max(0.0, seconds))
    except TimeoutError:
        if work.done():
            raise
        raise Unreachable(f"{what}: no answer in time", id="no_answer") from None


def gather(
    things: Sequence[T], work: Callable[[T], R], *, at_once: int = AT_ONCE, beat: Callable[[int], None] = lambda done: None,
    stop: threading.Event | None = None, grace: float = 0.0,
) -> list[R]:  # fmt: skip
    """What ``work`` gives for each thing, in the order of the things.

    The first error stops new ones, and is raised when the running ones ended.

    Args:
        at_once: how many threads work.
        beat: called in the caller's thread with the number that are done, twice a second and whenever one is.
        stop: set when no more are to begin: after an error, or what ``beat`` or Ctrl-C raised. Works may look at it.
        grace: seconds to wait for what runs after ``beat`` or Ctrl-C raised; 0: it is left alone and ends with the command.
    """
    stop = stop or threading.Event()
    waiting = queue.SimpleQueue[tuple[int, T]]()
    for pair in enumerate(things):
        waiting.put(pair)
    results, failures = dict[int, R](), list[BaseException]()
    ended = queue.SimpleQueue[None]()

    def lane() -> None:
        with contextlib.suppress(queue.Empty):
            while not stop.is_set():
                index, thing = waiting.get_nowait()
                try:
                    results[index] = work(thing)
                except BaseException as error:
                    failures.append(error)
                    stop.set()
                ended.put(None)

    lanes = [begin(lane, "lane") for _ in range(min(at_once, len(things)))]
    try:
        while not all(one.done() for one in lanes) or not ended.empty():
            with contextlib.suppress(queue.Empty):
                ended.get(timeout=_BEAT)
            beat(len(results))
    except BaseException:
        stop.set()
        if grace:
            wait(lanes, grace)
        raise
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(things))]


def each(things: Sequence[T], work: Callable[[T], object], name: Callable[[T], str], progress: Progress, what: str) -> None:
    """Work on each caller, ``AT_ONCE`` at a time. The first error stops new ones, and is raised when the running ones ended.

    Args:
        name: a caller's name, for the error's message.
        what: what is being done, e.g. ``callers``; progress shows ``callers: 12/300``.

    Raises:
        GenaiError: the first one of a caller, with its name; what ``progress.check`` raises.
    """

    def one(thing: T) -> None:
        try:
            work(thing)
        except Interrupted:
            raise
        except GenaiError as error:
            raise error.said(f"caller '{name(thing)}': {error.message}") from None

    def beat(done: int) -> None:
        progress.check()
        if len(things) > 1:
            progress.say(f"{what}: {done}/{len(things)}")

    gather(things, one, beat=beat, grace=_GRACE)
