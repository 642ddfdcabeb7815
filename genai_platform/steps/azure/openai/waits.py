"""How long an account of Azure OpenAI may take, and how it is asked for again while Azure changes it."""

from __future__ import annotations

from collections.abc import Callable

from genai_platform.engine.step import Progress
from genai_platform.tools.azure.errors import TemporaryRefusal
from genai_platform.tools.wait import wait_accepted

LIMIT = 1800.0
"""Seconds for one change of an account or a deployment."""
INTERVAL = 5.0
"""Seconds between two looks at it."""


def accepted(send: Callable[[], None], progress: Progress) -> None:
    """Send a request that Azure refuses while the account or another deployment is being changed; again until it takes it."""
    wait_accepted(send, (TemporaryRefusal,), progress, lambda said: f"waiting until Azure takes it: {said}", LIMIT, INTERVAL)
