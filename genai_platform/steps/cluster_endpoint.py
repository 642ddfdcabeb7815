"""The time between "EKS says ACTIVE" and "the cluster's API serves us": the name, the listener and the access entry come late.

See aws/containers-roadmap#654. Only of a young cluster is this taken for a delay; of any other it is a fault, told at once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from genai_platform.graph.step import Progress
from genai_platform.steps.doors import Doors
from genai_platform.tools.wait import wait_for

YOUNG = 600
"""Seconds after its creation in which a cluster may still be on its way."""
_LIMIT = 300


def pending(doors: Doors) -> str | None:
    """What the endpoint of a young cluster still lacks; ``None`` when it serves, or is no longer young. Raises ``GenaiError``."""
    found = doors.aws.describe_cluster(doors.target.prefix) or {}
    created = found.get("createdAt")
    if created is None or (datetime.now(UTC) - created).total_seconds() > YOUNG:
        return None
    missing = doors.kube.not_ready()
    return f"the endpoint does not serve yet: {missing}" if missing else None


def wait(doors: Doors, progress: Progress) -> None:
    """Wait until the endpoint serves. A cluster that is not young is not waited for.

    Raises:
        StepError: not within five minutes; the message carries the last answer.
    """
    missing: str | None = ""

    def look() -> bool | None:
        nonlocal missing
        missing = pending(doors)
        return None if missing else True

    wait_for(look, progress, lambda: f"cluster {doors.target.prefix}: {missing}", _LIMIT)
