"""Works on many things, a few at a time, with progress that says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError, Interrupted

T = TypeVar("T")
AT_ONCE = 8
"""Graph, Key Vault and LiteLLM all slow down who asks for more."""


def each(things: Sequence[T], work: Callable[[T], object], name: Callable[[T], str], progress: Progress, what: str) -> None:
    """Work on each thing, ``AT_ONCE`` at a time. The first error stops new ones, and is raised when the running ones ended.

    Args:
        name: a thing's name, for the error's message.
        what: what is being done, e.g. ``callers``; progress shows ``callers: 12/300``.

    Raises:
        GenaiError: the first one of a thing, with its name; what ``progress.check`` raises.
    """
    waiting, running, done = list(things), dict[Future[object], T](), 0
    failed: tuple[T, BaseException] | None = None
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix=what) as pool:
        while (waiting and failed is None) or running:
            while waiting and failed is None and len(running) < AT_ONCE:
                thing = waiting.pop(0)
                running[pool.submit(work, thing)] = thing
            ended, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
            for future in ended:
                thing, done = running.pop(future), done + 1
                error = future.exception()
                failed = failed or ((thing, error) if error else None)
            progress.check()
            if len(things) > 1:
                progress.say(f"{what}: {done}/{len(things)}")
    if failed:
        thing, error = failed
        if isinstance(error, GenaiError) and not isinstance(error, Interrupted):
            raise error.said(f"caller '{name(thing)}': {error.message}") from None
        raise error
