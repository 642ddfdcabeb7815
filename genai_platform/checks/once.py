"""Values that several checks ask for at the same time: each made once, by the first check that asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from genai_platform.errors import GenaiError

T = TypeVar("T")
PATIENCE = 3.0
"""Seconds in which a failure is not tried again: those who waited for it get it, too, instead of waiting one after another."""


class Once:
    """Makes values and keeps them. Safe to use from any thread; one value never waits for another.

    Args:
        kept: where the values are kept; what lies there is not made.
    """

    def __init__(self, kept: dict[str, Any] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: dict[str, Any] = {} if kept is None else kept
        self._clock = clock
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._failed: dict[str, tuple[float, GenaiError]] = {}

    def __call__(self, name: str, make: Callable[[], T]) -> T:
        """The value of this name, made now if there is none yet. Raises ``GenaiError``: it could not be made; a later call tries again."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._kept:
                when, error = self._failed.get(name, (0.0, None))
                if error is not None and self._clock() - when < PATIENCE:
                    raise error
                try:
                    self._kept[name] = make()
                except GenaiError as failure:
                    self._failed[name] = (self._clock(), failure)
                    raise
            found: T = self._kept[name]
            return found

    def forget(self, name: str) -> None:
        """Make it again when it is next asked for."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            self._kept.pop(name, None)
