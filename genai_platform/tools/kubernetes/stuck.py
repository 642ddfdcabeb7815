"""Why something in the cluster does not end, and the command that ends it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from genai_platform.errors import GenaiError
from genai_platform.tools.kubernetes import foreign as kube_foreign
from genai_platform.tools.kubernetes import webhooks
from genai_platform.tools.kubernetes.client import Document, Kube

_CONDITIONS = ("NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure", "NamespaceDeletionContentFailure")
"""What a namespace says when its controller cannot go on by itself (Kubernetes, core/v1 NamespaceConditionType)."""
_REMAINING = ("NamespaceFinalizersRemaining", "NamespaceContentRemaining")
_ENDING = re.compile(r"(foregroundDeletion|orphan|kubernetes\.io/|[a-z.]*\.kubernetes\.io/|[a-z.]*eks\.amazonaws\.com/)")
"""Finalizers that Kubernetes and EKS take off themselves, in their own time."""


@dataclass(frozen=True)
class Stuck:
    """Why something is still there.

    Attributes:
        text: in words.
        remedy: the command that ends it; empty where waiting is right.
    """

    text: str
    remedy: str = ""


def namespace(kube: Kube, found: Document) -> Stuck | None:
    """What a namespace that is being deleted says about itself; ``None`` while it says nothing."""
    said = {one["type"]: one for one in found.get("status", {}).get("conditions") or () if one.get("status") == "True"}
    for kind in _CONDITIONS:
        if kind in said:
            text = f"{kind}: {said[kind].get('message', '')[:300]}"
            return Stuck(text, _remedy(kube, kind, text, found["metadata"]["name"]))
    texts = [str(said[kind].get("message", "")) for kind in _REMAINING if kind in said]
    if not texts:
        return None
    finalizers = re.findall(r"([\w.-]+/[\w.-]+|foregroundDeletion|orphan) in \d+ resource instances", texts[0])
    foreign = [one for one in finalizers if not _ENDING.match(one)]
    return Stuck("; ".join(texts)[:400], _release(kube, found["metadata"]["name"]) if foreign else "")


def _remedy(kube: Kube, kind: str, text: str, name: str) -> str:
    try:
        dead = [one.remove for one in kube_foreign.services(kube)] if kind == _CONDITIONS[0] else []
        return " && ".join(dead) or webhooks.removal(kube.list, text) or f"kubectl get namespace {name} --output yaml"
    except GenaiError:
        return f"kubectl get namespace {name} --output yaml"


def _release(kube: Kube, name: str) -> str:
    """The commands that take the finalizers off what is left in a namespace."""
    try:
        left = [one for one in kube_foreign.held(kube) if one.namespace == name]
    except GenaiError:
        left = []
    words = """--type merge --patch '{"metadata":{"finalizers":null}}'"""
    commands = [f"kubectl patch {one.resource} {one.name} --namespace {name} {words}" for one in left[:3]]
    return " && ".join(commands) or f"kubectl get namespace {name} --output yaml"
