"""Writes to API Management while an earlier one still settles: the service refuses them for a moment, and they are sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_exponential

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
        again = Retrying(
            retry=retry_if_exception(_locked),
            wait=wait_exponential(multiplier=self._first, max=32),
            stop=stop_before_delay(_LONGEST),
            reraise=True,
        )
        return again(write)


def _locked(error: BaseException) -> bool:
    return status(error) == 409 and LOCKED in f"{code(error)} {error}"
