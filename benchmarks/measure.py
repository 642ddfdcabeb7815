"""Two ways measured alternately in one run, and the line that compares them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """What was measured and what it is held against, both in seconds."""

    what: str
    seconds: float
    against: str
    other: float

    @property
    def ratio(self) -> float:
        """How many times as long; below 1 is faster."""
        return self.seconds / self.other if self.other else float("inf")

    def __str__(self) -> str:
        return f"{self.what:<38} {_time(self.seconds)}   {self.against:<38} {_time(self.other)}   x {self.ratio:.2f}"


def compare(what: str, work: Callable[[], object], against: str, other: Callable[[], object], *, rounds: int) -> Pair:
    """Do both in turn, so that whatever else the machine does meets both alike. The first round warms up and does not count."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for one, times in zip((work, other), taken, strict=True):
            began = time.perf_counter()
            one()
            if number:
                times.append(time.perf_counter() - began)
    return Pair(what, statistics.median(taken[0]), against, statistics.median(taken[1]))


def _time(seconds: float) -> str:
    return f"{seconds:8.2f} s " if seconds >= 1 else f"{seconds * 1000:8.1f} ms"
