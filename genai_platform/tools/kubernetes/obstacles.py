"""What keeps a workload from running, followed to its end: workload, pod, then its claim, image, node or quota, and what those wait for.

Each function gives words for a person; empty where nothing is in the way. What cannot be looked at is left out: these words explain a
wait, and a failure to get them must not end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from genai_platform.errors import GenaiError
from genai_platform.tools.kubernetes import images as kube_images
from genai_platform.tools.kubernetes import placement
from genai_platform.tools.kubernetes.client import Document, Kube

_STARTING = ("ContainerCreating", "PodInitializing")


def of_workload(kube: Kube, kind: str, workload: Document, pods: Sequence[Document], namespace: str) -> str:
    """Of a Deployment, StatefulSet or DaemonSet: why its newest pod is not ready, or why it gets no pod (a quota, a webhook)."""
    if told := of_pods(kube, pods, namespace):
        return told
    for condition in workload.get("status", {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition.get("status") == "True":
            return _no_pod(condition)
    if pods:
        return ""
    with suppress(GenaiError):
        for event in reversed(kube.events(namespace, kind, workload.get("metadata", {}).get("name"))):
            if event.get("type") == "Warning":
                return _no_pod(event)
    return ""


def _no_pod(told: Document) -> str:
    """What a condition or an event says of a pod that was refused, without the pod's name: each try has another."""
    text = str(told.get("message", ""))
    return f"no pod is made: {told.get('reason')}: {(text.partition(' is forbidden: ')[2] or text)[:240]}"


def of_pods(kube: Kube, pods: Sequence[Document], namespace: str) -> str:
    """Why the newest pod that is not ready is not ready."""
    for pod in reversed(pods):
        conditions = {one["type"]: one for one in pod.get("status", {}).get("conditions", ())}
        if conditions.get("Ready", {}).get("status") == "True" or pod.get("status", {}).get("phase") == "Succeeded":
            continue
        if fault := kube_images.pull_fault(kube, namespace, pod):
            return fault[0]
        if told := _waiting(pod):
            return told
        if conditions.get("PodScheduled", {}).get("status") == "False":
            return _unplaced(kube, namespace, pod, conditions["PodScheduled"])
        if told := last_warning(kube, namespace, "Pod", pod["metadata"]["name"]) or _under_way(kube, namespace, pod, conditions):
            return "; ".join(filter(None, (told, placement.claims(kube, namespace, pod), placement.node(kube, pod))))
    return ""


def of_ingress(kube: Kube, name: str, namespace: str) -> str:
    """Why an ingress has no address: its last warning, or a class that is not there."""
    if told := last_warning(kube, namespace, "Ingress", name):
        return told
    with suppress(GenaiError):
        found = kube.get("networking.k8s.io/v1", "Ingress", name, namespace) or {}
        wanted = found.get("spec", {}).get("ingressClassName")
        if wanted and kube.get("networking.k8s.io/v1", "IngressClass", wanted) is None:
            return f"ingress class {wanted} does not exist"
    return ""


def last_warning(kube: Kube, namespace: str, kind: str, name: str) -> str:
    """``last event: FailedScheduling: 0/3 nodes fit``, of one object; empty when nobody complained."""
    warnings = [event for event in kube.events(namespace, kind, name) if event.get("type") == "Warning"]
    return f"last event: {warnings[-1].get('reason')}: {str(warnings[-1].get('message', ''))[:160]}" if warnings else ""


def _waiting(pod: Document) -> str:
    """A container that waits for more than its start, how its last run ended, and how often it was started again."""
    for status in container_statuses(pod):
        waiting = status.get("state", {}).get("waiting", {})
        if not waiting.get("reason") or waiting["reason"] in _STARTING:
            continue
        ended = status.get("lastState", {}).get("terminated") or {}
        last = f", its last run ended with {ended.get('reason', 'Error')} ({ended.get('exitCode')})" if ended else ""
        restarts = f", {status['restartCount']} restarts" if status.get("restartCount") else ""
        return f"last event: {waiting['reason']}{restarts}{last}"
    return ""


def _unplaced(kube: Kube, namespace: str, pod: Document, scheduled: Document) -> str:
    own = str(scheduled.get("message") or scheduled.get("reason") or "not scheduled yet")[:160]
    told = last_warning(kube, namespace, "Pod", pod["metadata"]["name"]) or own
    return "; ".join(filter(None, (told, placement.claims(kube, namespace, pod), placement.node_claims(kube, namespace, pod))))


def _under_way(kube: Kube, namespace: str, pod: Document, conditions: dict[str, Document]) -> str:
    """What a pod on a node is about, when nobody complains."""
    for one in pod.get("status", {}).get("initContainerStatuses") or ():
        if one.get("state", {}).get("running") is not None:
            return f"init container {one['name']} is running"
    if pod.get("status", {}).get("phase") != "Running":
        newest = next(reversed(kube.events(namespace, "Pod", pod["metadata"]["name"])), {})
        # "Pulling image …": what takes long on a new node.
        return str(newest.get("message", ""))[:160] if newest.get("reason") == "Pulling" else ""
    for gate in (pod.get("spec") or {}).get("readinessGates") or ():
        found = conditions.get(gate["conditionType"], {})
        if found.get("status") != "True":
            said = ": ".join(filter(None, (found.get("reason"), found.get("message")))) or "not reported yet"
            return f"readiness gate {gate['conditionType']}: {said[:160]}"
    return "running, not ready yet"


def container_statuses(pod: Document) -> list[dict[str, Any]]:
    """Of all its containers, those that come first, first."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
