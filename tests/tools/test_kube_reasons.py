"""Why pods do not run: images that cannot be pulled, nodes and volumes that are not given."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.errors import Interrupted, StepError
from genai_platform.tools.kubernetes import wait as kube_wait

IMAGE = "ghcr.io/berriai/litellm-database:v9.9.9"
_HEAD = f'rpc error: desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
NOT_FOUND = f"{_HEAD}{IMAGE}: not found"
NO_HOST = f"{_HEAD}failed to do request: dial tcp: lookup ghcr.io: no such host"


class Said(list[str]):
    """Stops after some looks."""

    looks = 0

    def say(self, text: str) -> None:
        self.append(text)

    def check(self) -> None:
        self.looks += 1
        if self.looks > 2:
            raise Interrupted


class Cluster:
    """One workload with one pod, claims, and events about anything."""

    def __init__(self, pod: dict[str, Any], *events: dict[str, Any], kind: str = "Deployment") -> None:
        template = {"spec": {"containers": [{"name": "litellm", "image": IMAGE}]}}
        labels = {"matchLabels": {"app": "litellm"}}
        self.objects = {kind: {"kind": kind, "metadata": {"name": "litellm"}, "spec": {"selector": labels, "template": template}}}
        self.pod, self.told = pod, events

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any:
        return self.objects.get(kind)

    def list(self, *args: Any, **kwargs: Any) -> Any:
        return [self.pod]

    def events(self, namespace: str, kind: str, name: str | None = None) -> Any:
        place = "default" if kind.startswith("Node") else "ns"
        about = [one for one in self.told if one["involvedObject"]["kind"] == kind and namespace == place]
        return [one for one in about if name in (None, one["involvedObject"]["name"])]

    def logs(self, *args: Any, **kwargs: Any) -> str:
        return ""


def event(kind: str, name: str, reason: str, message: str, at: str = "2026-11-29T01:00:00Z", type: str = "Warning") -> dict[str, Any]:
    return {"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message, "lastTimestamp": at, "type": type}


def pulling(reason: str, message: str, image: str = IMAGE) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "metadata": {"name": "litellm-1", "creationTimestamp": "2026-11-29T00:30:00Z"},
        "spec": {"containers": [{"name": "litellm", "image": image}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "litellm", "restartCount": 0, "ready": False, "state": state}]},
    }


def pending(**spec: Any) -> dict[str, Any]:
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}
    return {
        "metadata": {"name": "litellm-1", "creationTimestamp": "2026-11-29T00:30:00Z"},
        "spec": {"containers": [{"name": "litellm", "image": IMAGE}], **spec},
        "status": {"phase": "Pending", "conditions": [full]},
    }


def rollout(cluster: Cluster) -> str:
    """What is said while it is waited."""
    said = Said()
    with pytest.raises(Interrupted):
        kube_wait.rollout(cluster, "Deployment", "litellm", "ns", said, 60)  # type: ignore[arg-type]
    (text,) = said
    return text


BACK_OFF = (f'Back-off pulling image "{IMAGE}"', event("Pod", "litellm-1", "Failed", f'Failed to pull image "{IMAGE}": {NOT_FOUND}'))


@pytest.mark.parametrize(
    ("pod", "events"),
    [(pulling("ErrImagePull", NOT_FOUND), ()), (pulling("ImagePullBackOff", BACK_OFF[0]), BACK_OFF[1:])],
)
def test_an_image_that_its_registry_does_not_have_ends_the_wait_at_once(pod: dict[str, Any], events: Any) -> None:
    for kind, wait in (
        ("Deployment", lambda kube: kube_wait.rollout(kube, "Deployment", "litellm", "ns", Said(), 60)),
        ("Job", lambda kube: kube_wait.job(kube, "litellm", "ns", Said(), 60)),
    ):
        with pytest.raises(StepError, match=f"image {IMAGE} of container litellm cannot be pulled: not found") as caught:
            wait(Cluster(pod, *events, kind=kind))
        assert "configuration" in (caught.value.remedy or "")


def test_a_registry_that_is_not_reached_yet_is_waited_for_and_named() -> None:
    text = rollout(Cluster(pulling("ErrImagePull", NO_HOST)))
    assert f"image {IMAGE} of container litellm cannot be pulled" in text
    assert "no such host" in text


def test_an_old_revisions_image_does_not_end_the_new_ones_wait() -> None:
    assert "cannot be pulled" in rollout(Cluster(pulling("ErrImagePull", NOT_FOUND.replace("v9.9.9", "v8"), IMAGE.replace("v9.9.9", "v8"))))


FLEET = "creating instance, insufficient capacity, with fleet error(s), VcpuLimitExceeded: You have requested more vCPU capacity"
FULL = event("Pod", "litellm-1", "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")
NOMINATED = event("Pod", "litellm-1", "Nominated", "Pod should schedule on: nodeclaim/general-purpose-a1", type="Normal")


def test_a_pod_without_a_node_says_what_ec2_answered() -> None:
    claim = event("NodeClaim", "general-purpose-a1", "InsufficientCapacityError", f"NodeClaim general-purpose-a1 event: {FLEET}")
    other = event("NodeClaim", "general-purpose-b2", "InsufficientCapacityError", "another pod's", at="2026-11-29T02:00:00Z")
    text = rollout(Cluster(pending(), FULL, NOMINATED, claim, other))
    assert "NodeClaim: InsufficientCapacityError: VcpuLimitExceeded: raise the quota L-1216C47A" in text
    full = FLEET.replace("VcpuLimitExceeded", "InsufficientInstanceCapacity")
    text = rollout(Cluster(pending(), FULL, NOMINATED, {**claim, "message": full}, other))
    assert "InsufficientInstanceCapacity: You have requested" in text


def test_without_a_nomination_the_newest_warning_counts_and_none_from_before_the_pod() -> None:
    old = event("NodeClaim", "general-purpose-a1", "InsufficientCapacityError", "yesterday's", at="2026-11-28T02:00:00Z")
    pool = event("NodePool", "general-purpose", "NotReady", "the node class is not ready")
    text = rollout(Cluster(pending(), FULL, old, pool))
    assert "NodePool: NotReady: the node class is not ready" in text
    assert "yesterday" not in text


def test_a_pod_that_waits_for_its_volume_says_what_the_driver_answered() -> None:
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data-0"}}]
    failed = event("PersistentVolumeClaim", "data-0", "ProvisioningFailed", "VolumeLimitExceeded")
    assert "claim data-0: ProvisioningFailed: VolumeLimitExceeded" in rollout(Cluster(pending(volumes=volumes), FULL, failed))
