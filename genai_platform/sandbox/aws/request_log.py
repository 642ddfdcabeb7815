"""What was asked of the sandbox's AWS, and whether it would have changed anything there."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

_READING = re.compile(r"Get|List|Describe|Head|Search|Lookup|Query|Check|Simulate|Decode|Assume|Select|Invoke|GET$|HEAD$")
"""How AWS begins the names of actions that read."""
_KEPT = 20_000


class Requests:
    """The last requests, oldest first, each with a number that only grows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._count = 0

    def add(self, method: str, service: str, actions: Sequence[str], path: str, principal: str, agent: str) -> bool:
        """Write down one request, and say whether it would change something.

        Args:
            actions: as IAM names what must be allowed for it.
            path: without the query, which may carry a signature.
            principal: the ARN of who asks.
            agent: the client's ``User-Agent``.
        """
        writing = not all(_READING.match(action.partition(":")[2]) for action in actions)
        with self._lock:
            self._count += 1
            entry = {"number": self._count, "method": method, "service": service, "actions": list(actions)}
            self._held.append(entry | {"principal": principal, "agent": agent, "path": path, "writing": writing})
        return writing

    def since(self, number: int) -> Iterator[dict[str, Any]]:
        """All after the one with that number."""
        with self._lock:
            held = tuple(self._held)
        return (entry for entry in held if entry["number"] > number)
