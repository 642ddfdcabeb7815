"""Looks that go on at the same time, with one limit for all of them: what has not answered by then is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as TookTooLong
from concurrent.futures import wait

from genai_platform.cli.doctor.line import Line, failed
from genai_platform.tools.parallel import begin

LIMIT = 18.0
"""Seconds."""
Look = tuple[str, Callable[[], Iterable[Line]]]
"""The id of the one line that tells of a look which failed as a whole, and the look."""


def together(looks: list[Look], limit: float = LIMIT) -> Iterator[Line]:
    """The lines of all looks, in the order of the looks."""
    futures = [(id, begin(lambda ask=ask: list(ask()), id)) for id, ask in looks]  # type: ignore[misc]
    deadline = time.monotonic() + limit
    for id, future in futures:
        wait([future], max(0.0, deadline - time.monotonic()))
        try:
            yield from future.result(0)
        except TookTooLong:
            yield Line(
                id, "unknown", f"no answer within {limit:.0f} seconds", "check the network and any proxy, then run the same command again"
            )
        except Exception as error:
            yield failed(id, error)
