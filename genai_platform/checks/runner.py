"""Runs checks: all at the same time, each looking until it passes, cannot pass any more, or its own deadline is over."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from genai_platform.advice import advice, genai
from genai_platform.checks.check import Check, Outcome, Result
from genai_platform.errors import GenaiError

INTERVAL = 2.0
GRACE = 180.0
"""Seconds a look may take beyond its check's deadline before it is given up; each of its calls has a time limit of its own."""


def run(
    checks: Sequence[Check],
    on_result: Callable[[Result], None] = lambda result: None,
    on_status: Callable[[str, str], None] = lambda id, text: None,
    *,
    fail_fast: bool = False,
    interval: float = INTERVAL,
    limit: float | None = None,
) -> list[Result]:
    """Run checks and give their results in the order of the checks.

    Args:
        on_result: hears each result as it comes.
        on_status: hears what a check that is not satisfied yet saw.
        fail_fast: stop looking after the first failure; checks that were still looking are skipped, saying so.
        limit: the longest any check polls, in seconds, where its own deadline is later.

    Both are called from the caller's thread, so Ctrl-C and their exceptions reach the caller.
    """
    said: queue.SimpleQueue[Result | tuple[str, str]] = queue.SimpleQueue()
    stop = threading.Event()
    deadlines = {check.id: check.deadline if limit is None else min(check.deadline, limit) for check in checks}
    for check in checks:
        # Daemons: a look that hangs must not keep the command from ending.
        threading.Thread(target=_poll, args=(check, deadlines[check.id], said, stop, interval), name=check.id, daemon=True).start()
    results: dict[str, Result] = {}
    began = time.monotonic()
    try:
        while len(results) < len(checks):
            # A time limit lets Ctrl-C through on every platform.
            one: Result | tuple[str, str] | None
            try:
                one = said.get(timeout=0.5)
            except queue.Empty:
                one = _silent(deadlines, results, time.monotonic() - began)
            if isinstance(one, tuple):
                on_status(*one)
            elif one is not None and one.id not in results:  # one that was given up before may still answer
                results[one.id] = one
                on_result(one)
                if fail_fast and one.status == "fail":
                    stop.set()
    finally:
        stop.set()
    return [results[check.id] for check in checks]


def _poll(check: Check, deadline: float, said: queue.SimpleQueue[Result | tuple[str, str]], stop: threading.Event, interval: float) -> None:
    began = time.monotonic()
    while True:
        outcome = _look(check)
        seconds = time.monotonic() - began
        over = seconds + interval > deadline
        if outcome.status != "fail" or outcome.final or over:
            said.put(Result(check.id, outcome.status, outcome.evidence, seconds, outcome.hint))
            return
        said.put((check.id, outcome.evidence))
        if stop.wait(interval):
            text = f"stopped: another check failed; last seen: {outcome.evidence}"
            said.put(Result(check.id, "skip", text, time.monotonic() - began, ""))
            return


def _silent(deadlines: Mapping[str, float], results: Mapping[str, Result], seconds: float) -> Result | None:
    """The result of a check whose look does not come back, long after its deadline."""
    for id, deadline in deadlines.items():
        if id not in results and seconds > deadline + GRACE:
            return Result(id, "fail", f"no answer after {seconds:.0f} s", seconds, advice("see what hangs: {}", genai("status")))
    return None


def _look(check: Check) -> Outcome:
    try:
        return check.look()
    except GenaiError as error:
        return Outcome("fail", error.message, error.remedy)
    except Exception as error:
        return Outcome("fail", f"{type(error).__name__}: {error}"[:500])
