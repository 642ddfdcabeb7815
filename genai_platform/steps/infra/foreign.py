"""What others put into the cluster, on the way down: it goes with the cluster, while its controllers still run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError, Interrupted, WaitTimeout
from genai_platform.render.addresses import GATEWAY
from genai_platform.steps.clients import Clients
from genai_platform.tools.kubernetes import foreign as kube_foreign
from genai_platform.tools.kubernetes.client import ClusterAbsent, Kube
from genai_platform.tools.kubernetes.foreign import Foreign, Listing
from genai_platform.tools.wait import wait_for

INGRESSES = ("litellm", "langfuse", GATEWAY)
"""The platform's own, all in its namespace."""
LIMIT = 300.0
"""Seconds for the controllers of AWS, which delete load balancers and volumes."""
PATIENCE = 30.0
"""Seconds for a finalizer of somebody else's controller: the cluster, and with it the object, goes all the same."""
_WORKLOADS = (
    ("apps/v1", "StatefulSet"), ("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"), ("batch/v1", "CronJob"),
    ("batch/v1", "Job"), ("v1", "Pod"),
)  # fmt: skip


def look(clients: Clients) -> Listing:
    """What is there. Without a cluster, nothing."""
    try:
        return kube_foreign.look(clients.kube, INGRESSES) if clients.kube.exists() else Listing((), ())
    except ClusterAbsent:
        return Listing((), ())
    except GenaiError as error:
        return Listing((), (error.message,))


def unblock(kube: Kube) -> list[str]:
    """Delete webhook configurations and APIServices that nobody serves: they keep the rest from going. Answers which."""
    blocking = (*kube_foreign.webhooks(kube), *kube_foreign.services(kube))
    return [str(one) for one in blocking if kube.delete(one.api_version, one.kind, one.name)]


def remove_shared(clients: Clients, progress: Progress) -> None:
    """The ingresses of others that share the platform's class: their controller needs the class to release them."""
    shared = [one for one in kube_foreign.balancers(clients.kube, INGRESSES) if one.kind == "Ingress" and not one.usd_per_hour]
    _delete(clients.kube, shared)
    _wait(clients.kube, shared, progress)


def remove(clients: Clients, progress: Progress) -> str:
    """Everything of others. What does not go in time is left to the cluster's own end.

    Returns:
        What went and what was left, in words; empty when there was nothing.

    Raises:
        Interrupted: the person asked to stop.
    """
    try:
        if not clients.kube.exists():
            return ""
        kube = clients.kube
        unblock(kube)
        seen = kube_foreign.look(kube, INGRESSES)
        _delete_claims_too(kube, [one for one in seen.objects if one.kind == "PersistentVolumeClaim"])
        objects = [one for one in seen.objects if not one.dead]
        _delete(kube, objects)
        left = _wait(kube, objects, progress)
    except Interrupted:
        raise
    except GenaiError as error:
        return f"what others put into the cluster goes with it: {error.message}"
    more = f"; left to the cluster's end: {', '.join(map(str, left))}" if left else ""
    return f"{len(objects) - len(left)} objects of others removed{more}" if objects else ""


def _delete_claims_too(kube: Kube, claims: Sequence[Foreign]) -> None:
    """End what uses the claims, and let the driver delete also the volumes that their class would keep."""
    for place in sorted({one.namespace for one in claims}):
        for api, kind in _WORKLOADS:
            for one in kube.list(api, kind, place):
                kube.delete(api, kind, one["metadata"]["name"], place)
    for volume in kube.list("v1", "PersistentVolume"):
        place = (volume["spec"].get("claimRef") or {}).get("namespace", NAMESPACE)
        keeps = volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete"
        if keeps and kube_foreign.made_here(volume) and not kube_foreign.system(place):
            body = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
            kube.patch("v1", "PersistentVolume", volume["metadata"]["name"], None, body, "merge")


def _delete(kube: Kube, objects: Iterable[Foreign]) -> None:
    for one in objects:
        if one.kind == "PersistentVolume":
            continue  # the driver deletes it, with its disk, once its policy says so
        try:
            kube.delete(one.api_version, one.kind, one.name, one.namespace or None)
        except GenaiError:
            # A webhook may have lost its pods only now. What is refused again is left to the cluster's end.
            if unblock(kube):
                with suppress(GenaiError):
                    kube.delete(one.api_version, one.kind, one.name, one.namespace or None)


def _wait(kube: Kube, objects: Sequence[Foreign], progress: Progress) -> list[Foreign]:
    """Wait for controllers; answers what is still there when waiting is of no more use."""
    left = list(objects)
    volumes = {str(one["metadata"]["name"]) for one in kube.list("v1", "PersistentVolume") if _of(one, objects)}

    def waited(seconds: float, slow: bool) -> None:
        def look() -> bool | None:
            left[:] = [one for one in left if kube.get(one.api_version, one.kind, one.name, one.namespace or None) is not None]
            volumes.intersection_update(str(one["metadata"]["name"]) for one in kube.list("v1", "PersistentVolume"))
            here = [one for one in left if _slow(one)] if slow else left
            return None if here or volumes else True

        def status() -> str:
            names = [*map(str, left), *(f"volume {name}" for name in sorted(volumes))]
            return f"waiting for {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''} to go"

        wait_for(look, progress, status, seconds)

    for seconds, slow in ((PATIENCE, False), (LIMIT - PATIENCE, True)):
        with suppress(WaitTimeout):
            waited(seconds, slow)
    return left


def _slow(one: Foreign) -> bool:
    """Whether AWS's own controllers work on it; they are slow and do not give up."""
    return one.api_version in ("v1", "networking.k8s.io/v1") and not one.detail.startswith("held by")


def _of(volume: dict[str, Any], objects: Sequence[Foreign]) -> bool:
    claim = volume["spec"].get("claimRef") or {}
    held = (claim.get("namespace"), claim.get("name"))
    return any(one.kind == "PersistentVolumeClaim" and (one.namespace, one.name) == held for one in objects)
