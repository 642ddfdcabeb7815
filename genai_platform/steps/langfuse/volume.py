"""ClickHouse's volume, as Kubernetes alone tells of it: enough to know when ClickHouse itself must be asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from genai_platform.config.target import NAMESPACE
from genai_platform.render import langfuse
from genai_platform.tools.kubernetes.client import Document, Kube

_WORKLOADS = {
    1: ("apps/v1", "StatefulSet", langfuse.CLICKHOUSE_STATEFUL_SET, f"data-{langfuse.CLICKHOUSE_STATEFUL_SET}-"),
    2: ("clickhouse.com/v1alpha1", "ClickHouseCluster", langfuse.RELEASE, "clickhouse-storage-volume-"),
}
"""What asks for the volumes, by chart line, and what the names of its claims begin with."""
_TOGETHER = timedelta(minutes=1)
"""A claim is made within seconds of what asks for it; where an operator took longer, ClickHouse is asked without need."""


def state(kube: Kube, line: Literal[1, 2]) -> Literal["kept", "new", "lost"]:
    """Whether the volume is the one that ClickHouse began on. Raises ``StepError`` when that could not be seen.

    Returns:
        ``lost``: a claim has lost its volume. ``new``: the oldest claim is younger than what asked for it, so there may have been an
        earlier volume. ``kept``: neither.
    """
    version, kind, name, prefix = _WORKLOADS[line]
    claims = [one for one in kube.list("v1", "PersistentVolumeClaim", NAMESPACE) if one["metadata"]["name"].startswith(prefix)]
    if any((one.get("status") or {}).get("phase") == "Lost" for one in claims):
        return "lost"
    workload, made = kube.get(version, kind, name, NAMESPACE), [_made(one) for one in claims]
    return "new" if workload and made and min(made) - _made(workload) > _TOGETHER else "kept"


def _made(document: Document) -> datetime:
    return datetime.fromisoformat(document["metadata"]["creationTimestamp"])
