"""The time between "EKS says ACTIVE" and "the cluster's API serves us": the name, the listener and the access entry come late.

See aws/containers-roadmap#654. Only of a young cluster is this taken for a delay; of any other it is a fault, told at once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from genai_platform.engine.step import Progress
from genai_platform.steps.clients import Clients
from genai_platform.tools.wait import wait_while

YOUNG = 600
"""Seconds after its creation in which a cluster may still be on its way."""
_LIMIT = 300


def pending(clients: Clients) -> str | None:
    """What the endpoint of a young cluster still lacks; ``None`` when it serves, or is not young any more. Raises ``GenaiError``."""
    found = clients.aws.describe_cluster(clients.target.prefix) or {}
    created = found.get("createdAt")
    if created is None or (datetime.now(UTC) - created).total_seconds() > YOUNG:
        return None
    missing = clients.kube.not_ready()
    return f"the endpoint does not serve yet: {missing}" if missing else None


def wait(clients: Clients, progress: Progress) -> None:
    """Wait until the endpoint serves. A cluster that is not young is not waited for.

    Raises:
        StepError: not within five minutes; the message carries the last answer.
    """
    wait_while(lambda: pending(clients), progress, lambda missing: f"cluster {clients.target.prefix}: {missing}", _LIMIT)
