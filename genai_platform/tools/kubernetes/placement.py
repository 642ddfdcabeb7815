"""What a pod's place waits for: its claims and their class, the NodeClaim that was ordered for it, its node.

For ``obstacles``: each function gives words, and nothing where nothing is wrong or it cannot be looked at.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from genai_platform.errors import GenaiError
from genai_platform.tools.kubernetes.client import Document, Kube, when

_CLUSTER_EVENTS = "default"
"""The namespace of events about objects that have none."""
_HINTS = {"VcpuLimitExceeded": "raise the quota L-1216C47A of EC2 (vCPUs of On-Demand Standard instances) in Service Quotas"}
_KARPENTER = "karpenter.sh/v1"
_STAGES = ("Launched", "Registered", "Initialized")
"""Conditions of a NodeClaim in the order in which they become true (karpenter.sh, "NodeClaims")."""


def claims(kube: Kube, namespace: str, pod: Document) -> str:
    """The first of a pod's claims that has no volume, and why: its newest warning, its class, or what its provisioner says."""
    names = (volume.get("persistentVolumeClaim", {}).get("claimName") for volume in (pod.get("spec") or {}).get("volumes") or ())
    with suppress(GenaiError):
        for name in filter(None, names):
            if told := _claim(kube, namespace, name):
                return f"claim {name}: {told}"
    return ""


def _claim(kube: Kube, namespace: str, name: str) -> str:
    found = kube.get("v1", "PersistentVolumeClaim", name, namespace)
    phase = (found or {}).get("status", {}).get("phase")
    if phase == "Bound":
        return ""
    events = kube.events(namespace, "PersistentVolumeClaim", name)
    if warnings := [event for event in events if event.get("type") == "Warning"]:
        return _event(warnings[-1])
    if found is None:
        return "it does not exist"
    if phase == "Lost":
        return "Lost: its volume is gone"
    wanted = found.get("spec", {}).get("storageClassName")
    if not wanted:
        return "it names no storage class, and there is no default one"
    storage_class = kube.get("storage.k8s.io/v1", "StorageClass", wanted)
    if storage_class is None:
        return f"storage class {wanted} does not exist"
    # With WaitForFirstConsumer the claim waits until a node is chosen for the pod, not the pod for the claim.
    chosen = "volume.kubernetes.io/selected-node" in (found["metadata"].get("annotations") or {})
    waits_for_node = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" and not chosen
    return "" if waits_for_node or not events else _event(events[-1])


def node_claims(kube: Kube, namespace: str, pod: Document) -> str:
    """Why no node comes: a warning of the NodeClaim that was ordered for a pod, the stage it is at, or a NodePool that is not ready."""
    since = str(pod["metadata"].get("creationTimestamp") or "")
    events = [event for kind in ("NodePool", "NodeClaim") for event in kube.events(_CLUSTER_EVENTS, kind)]
    # A NodeClaim that EC2 refuses is deleted at once, and another made: its event stays (karpenter.sh, "NodeClaims").
    told = [event for event in events if event.get("type") == "Warning" and when(event) >= since]
    texts = [str(event.get("message", "")) for event in kube.events(namespace, "Pod", pod["metadata"]["name"])]
    nominated = [found[1] for text in texts if (found := re.search(r"nodeclaim/([\w.-]+)", text))]
    own = [event for event in told if event.get("involvedObject", {}).get("name") in nominated] or told
    if own:
        return _refused(max(own, key=when))
    with suppress(GenaiError):
        for name in reversed(nominated):
            if claim := kube.get(_KARPENTER, "NodeClaim", name):
                return _stage(claim)
        return next(filter(None, (_unready(pool) for pool in kube.list(_KARPENTER, "NodePool"))), "")
    return ""


def _refused(event: Document) -> str:
    text = str(event.get("message", ""))
    # The code that EC2 answered comes after a long introduction.
    text = (text.partition("with fleet error(s), ")[2] or text)[:160]
    said = next((f"{code}: {hint}" for code, hint in _HINTS.items() if code in text), text)
    # Without its name: each try has another, and the same line would be said again and again.
    return f"{event.get('involvedObject', {}).get('kind')}: {event.get('reason')}: {said}"


def _stage(claim: Document) -> str:
    conditions = {one["type"]: one for one in claim.get("status", {}).get("conditions") or ()}
    for stage in _STAGES:
        if conditions.get(stage, {}).get("status") != "True":
            return f"NodeClaim {claim['metadata']['name']}: not {stage} yet{_said(conditions.get(stage, {}))}"
    return ""


def _unready(pool: Document) -> str:
    for one in pool.get("status", {}).get("conditions") or ():
        if one["type"] == "Ready" and one.get("status") == "False":
            return f"NodePool {pool['metadata']['name']}: not Ready{_said(one)}"
    return ""


def node(kube: Kube, pod: Document) -> str:
    """What is wrong with the node that a pod is on."""
    name = (pod.get("spec") or {}).get("nodeName")
    if not name:
        return ""
    with suppress(GenaiError):
        found = kube.get("v1", "Node", name)
        if found is None:
            return f"its node {name} does not exist any more"
        for one in found.get("status", {}).get("conditions") or ():
            if one["type"] == "Ready" and one.get("status") != "True":
                return f"node {name}: not Ready{_said(one)}"
            if one["type"].endswith("Pressure") and one.get("status") == "True":
                return f"node {name}: {one['type']}"
    return ""


def _said(condition: dict[str, Any]) -> str:
    words = [str(condition[key]) for key in ("reason", "message") if condition.get(key)]
    return f": {': '.join(dict.fromkeys(words))}"[:200] if words else ""


def _event(event: Document) -> str:
    return f"{event.get('reason')}: {str(event.get('message', ''))[:160]}"
