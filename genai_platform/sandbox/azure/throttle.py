"""Services that are asked too much: for so many requests they answer 429, with the seconds to wait.

How much is too much depends on the tenant and the day (Microsoft Graph throttling limits), so it is ordered, not counted.
"""

from __future__ import annotations

import threading


class Throttle:
    """Shared by the stand-ins of one sandbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[int, str]] = {}

    def order(self, service: str, requests: int, retry_after: int) -> None:
        """The next requests to a service are refused.

        Args:
            service: ``entra``, ``graph``, ``arm``, ``vault`` or ``openai`` (the accounts).
            requests: how many.
            retry_after: seconds that the answers name.
        """
        with self._lock:
            self._left[service] = (requests, str(retry_after))

    def refuses(self, service: str) -> str | None:
        """Seconds to wait, as the header has them; None: the request is served."""
        with self._lock:
            left, wait = self._left.get(service, (0, ""))
            if left < 1:
                return None
            self._left[service] = (left - 1, wait)
            return wait
