"""Services that are asked too much: for so many requests they answer 429, with the seconds to wait.

How much is too much depends on the tenant and the day (Microsoft Graph throttling limits), so it is ordered, not counted.
"""

from __future__ import annotations

import threading


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says how long to wait; whole seconds are all that ``Retry-After`` can name."""
    return {"Retry-After": str(int(seconds))} if seconds == int(seconds) else {"x-ms-retry-after-ms": str(max(1, round(seconds * 1000)))}


class Throttle:
    """Shared by the stand-ins of one sandbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[int, float]] = {}

    def order(self, service: str, requests: int, retry_after: float) -> None:
        """The next requests to a service are refused.

        Args:
            service: ``entra``, ``graph``, ``arm``, ``vault`` or ``openai`` (the accounts).
            requests: how many.
            retry_after: seconds that the answers name.
        """
        with self._lock:
            self._left[service] = (requests, retry_after)

    def refuses(self, service: str) -> float | None:
        """Seconds to wait; None: the request is served."""
        with self._lock:
            left, wait = self._left.get(service, (0, 0.0))
            if left < 1:
                return None
            self._left[service] = (left - 1, wait)
            return wait
