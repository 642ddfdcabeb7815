"""How long an account of Azure OpenAI may take, and how it is asked for again while Azure changes it."""

from __future__ import annotations

from collections.abc import Callable

from genai_platform.engine.step import Progress
from genai_platform.tools.azure.errors import TemporaryRefusal
from genai_platform.tools.wait import wait_for

LIMIT = 1800.0
"""Seconds for one change of an account or a deployment."""
INTERVAL = 5.0
"""Seconds between two looks at it."""


def accepted(send: Callable[[], None], progress: Progress) -> None:
    """Send a request that Azure refuses while the account or another deployment is being changed; again until it takes it."""
    said: list[str] = [""]

    def sent() -> bool | None:
        try:
            send()
        except TemporaryRefusal as error:
            said[0] = error.message
            return None
        return True

    wait_for(sent, progress, lambda: f"waiting until Azure takes it: {said[0]}", LIMIT, INTERVAL)
