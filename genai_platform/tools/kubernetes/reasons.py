"""Why a pod does not run, where its own last event does not say it: images that cannot be pulled, nodes that are not given."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from genai_platform.tools.kubernetes.client import Document, Kube

PULLS = ("ErrImagePull", "ImagePullBackOff")
_FINAL = re.compile(r"not found|manifest unknown|denied|unauthorized|forbidden|invalid reference", re.IGNORECASE)
"""What a registry says that will say it again; a name that does not resolve yet, or too many requests, pass."""
_CLUSTER_EVENTS = "default"
"""The namespace of events about objects that have none."""
_HINTS = {"VcpuLimitExceeded": "raise the quota L-1216C47A of EC2 (vCPUs of On-Demand Standard instances) in Service Quotas"}


def pull_fault(kube: Kube, namespace: str, pod: Document, images: Collection[str] | None = None) -> tuple[str, bool] | None:
    """An image that cannot be pulled, with the cause, and whether waiting cannot help; ``None`` when there is none.

    Args:
        images: those that count, e.g. of the newest revision; default: all.
    """
    for spec, status in _containers(pod):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") not in PULLS or (images is not None and spec["image"] not in images):
            continue
        cause = str(waiting.get("message", ""))
        if "error" not in cause:
            # "Back-off pulling image": the cause was said before, in an event.
            told = [str(event.get("message", "")) for event in kube.events(namespace, "Pod", pod["metadata"]["name"])]
            cause = next((text for text in reversed(told) if "Failed to pull image" in text), cause or waiting["reason"])
        short = cause.rsplit(f"{spec['image']}: ", 1)[-1].rsplit(f'"{spec["image"]}": ', 1)[-1][-200:]
        return f"image {spec['image']} of container {spec['name']} cannot be pulled: {short}", bool(_FINAL.search(short))
    return None


def images(workload: Document) -> set[str]:
    """The images of a workload's own template."""
    spec = workload["spec"].get("template", {}).get("spec", {})
    return {one["image"] for field in ("initContainers", "containers") for one in spec.get(field) or () if "image" in one}


def unplaced(kube: Kube, namespace: str, pod: Document) -> str:
    """What a pod that is on no node waits for: the newest warning of its claims, and of the node that was ordered for it."""
    return "; ".join(filter(None, (_claims(kube, namespace, pod), _nodes(kube, namespace, pod))))


def _claims(kube: Kube, namespace: str, pod: Document) -> str:
    names = (volume.get("persistentVolumeClaim", {}).get("claimName") for volume in (pod.get("spec") or {}).get("volumes") or ())
    for name in filter(None, names):
        warnings = [event for event in kube.events(namespace, "PersistentVolumeClaim", name) if _warns(event)]
        if warnings and (kube.get("v1", "PersistentVolumeClaim", name, namespace) or {}).get("status", {}).get("phase") != "Bound":
            return f"claim {name}: {warnings[-1].get('reason')}: {str(warnings[-1].get('message', ''))[:160]}"
    return ""


def _nodes(kube: Kube, namespace: str, pod: Document) -> str:
    """A NodeClaim that EC2 refuses is deleted at once, and another made: its event stays (karpenter.sh, "NodeClaims")."""
    since = str(pod["metadata"].get("creationTimestamp") or "")
    told = [event for kind in ("NodePool", "NodeClaim") for event in kube.events(_CLUSTER_EVENTS, kind) if _warns(event)]
    told = [event for event in told if _when(event) >= since]
    nominated = [
        found.group(1)
        for event in kube.events(namespace, "Pod", pod["metadata"]["name"])
        if (found := re.search(r"nodeclaim/([\w.-]+)", str(event.get("message", ""))))
    ]
    own = [event for event in told if event.get("involvedObject", {}).get("name") in nominated] or told
    if not own:
        return ""
    newest = max(own, key=_when)
    text = str(newest.get("message", ""))
    # The code that EC2 answered comes after a long introduction.
    text = (text.partition("with fleet error(s), ")[2] or text)[:160]
    said = next((f"{code}: {hint}" for code, hint in _HINTS.items() if code in text), text)
    # Without its name: each try has another, and the same line would be said again and again.
    return f"{newest.get('involvedObject', {}).get('kind')}: {newest.get('reason')}: {said}"


def _containers(pod: Document) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for specs, statuses in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        known = {one["name"]: one for one in pod.get("status", {}).get(statuses) or ()}
        yield from ((spec, known[spec["name"]]) for spec in (pod.get("spec") or {}).get(specs) or () if spec["name"] in known)


def _warns(event: Document) -> bool:
    return event.get("type") == "Warning"


def _when(event: Document) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("metadata", {}).get("creationTimestamp") or "")
