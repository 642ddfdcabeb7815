"""Writes to API Management while an earlier one still settles: the service refuses them for a moment, and they are sent again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from genai_platform.config.endpoints import Endpoints
from genai_platform.tools.azure.errors import code, status

T = TypeVar("T")

_LONGEST = 120.0
"""Seconds; API Management usually lets go within half a minute."""
LOCKED = "PessimisticConcurrencyConflict"
"""The code of a 409 that passes by itself ("Unable to obtain lock for operation on the entity"); every other conflict stays."""


class Writes:
    """Sends writes to the services of one world."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._first = 2.0 if endpoints.real else 0.1

    def send(self, write: Callable[[], T]) -> T:
        """The write's answer; while the entity is locked it is sent again after 2, 4, 8 … s.

        Raises:
            HttpResponseError: any other refusal at once, and the lock after two minutes.
        """
        from azure.core.exceptions import HttpResponseError

        deadline, pause = time.monotonic() + _LONGEST, self._first
        while True:
            try:
                return write()
            except HttpResponseError as error:
                if status(error) != 409 or LOCKED not in f"{code(error)} {error.message}" or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 32.0)
