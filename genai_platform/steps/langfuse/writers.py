"""Nothing writes to ClickHouse any more: Langfuse's web is stopped, its queue runs empty, its worker ends."""

from __future__ import annotations

from genai_platform.advice import advice, genai
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.errors import StepError, WaitTimeout
from genai_platform.render import langfuse
from genai_platform.steps import objects
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse.clickhouse import ClickHouse
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import Document, Kube
from genai_platform.tools.wait import wait_while

_ENDS = 300.0
_DRAINED = 1800.0
_ROLLOUT = 1200.0
WRITERS = (langfuse.WEB, langfuse.WORKER)


def stop(clients: Clients, clickhouse: ClickHouse, progress: Progress) -> None:
    """Web first, so that nothing more is queued; the worker only when nothing waits: it writes what it has before it ends.

    Raises:
        StepError: a pod does not end, or the queue does not run empty.
    """
    kube = clients.kube
    if _scale(kube, langfuse.WEB, 0):
        _wait_ended(kube, langfuse.WEB, progress)
    worker = kube.get("apps/v1", "Deployment", langfuse.WORKER, NAMESPACE)
    if worker is None or not worker.get("spec", {}).get("replicas", 1):
        return
    data, left = clients.data(), 0

    def queued() -> int:
        nonlocal left
        left = clickhouse.queued(data.redis_host, data.redis_port, progress)
        return left

    progress.say("waiting for Langfuse's worker to store what is queued in Redis")
    try:
        wait_while(queued, progress, lambda left: f"waiting for Langfuse's worker: {left} batches are still queued in Redis", _DRAINED, 1.0)
    except WaitTimeout:
        raise StepError(
            f"Langfuse's worker does not store what is queued: {left} batches still wait in Redis after {_DRAINED:.0f} s",
            remedy=advice("see why: {}", genai("logs langfuse-worker")),
            id="data.queue",
        ) from None
    _scale(kube, langfuse.WORKER, 0)
    _wait_ended(kube, langfuse.WORKER, progress)


def stopped(kube: Kube) -> list[str]:
    """Writers that were stopped for a backup and not started since."""
    return [name for name in WRITERS if (found := _deployment(kube, name)) and found.get("spec", {}).get("replicas") == 0]


def start(kube: Kube) -> None:
    """Start again what was stopped."""
    for name in stopped(kube):
        _scale(kube, name, 1)


def restart(kube: Kube, progress: Progress, names: tuple[str, ...] = WRITERS) -> None:
    """Make their pods again: Langfuse makes its tables when it starts."""
    for name in names:
        objects.restart(kube, "Deployment", name)
    for name in names:
        kube_wait.rollout(kube, "Deployment", name, NAMESPACE, progress, _ROLLOUT)


def version(kube: Kube) -> str | None:
    """The version of Langfuse that runs: its image's tag."""
    containers = (_deployment(kube, langfuse.WEB) or {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers") or [{}]
    _, colon, tag = str(containers[0].get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")
    return tag if colon else None


def _deployment(kube: Kube, name: str) -> Document | None:
    return kube.get("apps/v1", "Deployment", name, NAMESPACE)


def _scale(kube: Kube, name: str, replicas: int) -> bool:
    """Whether there is such a deployment."""
    if _deployment(kube, name) is None:
        return False
    kube.patch("apps/v1", "Deployment", name, NAMESPACE, {"spec": {"replicas": replicas}}, "merge")
    return True


def _wait_ended(kube: Kube, name: str, progress: Progress) -> None:
    deployment = _deployment(kube, name)
    if deployment is None:
        return

    def told(pods: list[Document]) -> str:
        return f"waiting for {', '.join(pod['metadata']['name'] for pod in pods)} to end, so that nothing writes during the backup"

    wait_while(lambda: kube_wait.pods_of(kube, deployment, NAMESPACE), progress, told, _ENDS, 1.0)
