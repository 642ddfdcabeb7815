"""Images: which a workload wants, and why one cannot be pulled."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from genai_platform.tools.kubernetes.client import Document, Kube

PULLS = ("ErrImagePull", "ImagePullBackOff")
_FINAL = re.compile(r"not found|manifest unknown|denied|unauthorized|forbidden|invalid reference", re.IGNORECASE)
"""What a registry says that will say it again; a name that does not resolve yet, or too many requests, pass."""


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


def _containers(pod: Document) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for specs, statuses in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        known = {one["name"]: one for one in pod.get("status", {}).get(statuses) or ()}
        yield from ((spec, known[spec["name"]]) for spec in (pod.get("spec") or {}).get(specs) or () if spec["name"] in known)
