"""What keeps a workload from running is followed to its end: pod, claim, image, node or quota, and what those wait for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from genai_platform.errors import Forbidden, Interrupted
from genai_platform.tools.kubernetes import obstacles
from genai_platform.tools.kubernetes import wait as kube_wait

NAMES = {"matchLabels": {"app": "litellm"}}


class Said(list[str]):
    """Stops with the first word."""

    def say(self, text: str) -> None:
        self.append(text)
        raise Interrupted

    def check(self) -> None: ...


@dataclass
class Cluster:
    """Objects by kind and name, events about them, and kinds that this identity may not read."""

    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)

    def has(self, kind: str, name: str, **content: Any) -> None:
        metadata = {"name": name, "creationTimestamp": "2026-11-29T00:30:00Z", **content.pop("metadata", {})}
        self.objects[kind, name] = {"kind": kind, "metadata": metadata, **content}

    def says(self, kind: str, name: str, reason: str, message: str, type: str = "Warning") -> None:
        about = {"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message, "type": type}
        self.told.append({**about, "lastTimestamp": f"2026-11-29T01:00:{len(self.told):02d}Z"})

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any:
        if kind in self.forbidden:
            raise Forbidden(f"may not read {kind}")
        return self.objects.get((kind, name))

    def list(self, api_version: str, kind: str, namespace: str | None = None, **selector: str) -> Any:
        if kind in self.forbidden:
            raise Forbidden(f"may not list {kind}")
        return [one for (each, _), one in self.objects.items() if each == kind]

    def events(self, namespace: str, kind: str, name: str | None = None) -> Any:
        place = "default" if kind.startswith("Node") else "ns"
        found = [one for one in self.told if one["involvedObject"]["kind"] == kind and namespace == place]
        return [one for one in found if name in (None, one["involvedObject"]["name"])]

    def logs(self, *args: Any, **kwargs: Any) -> str:
        return ""


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.has("Deployment", "litellm", spec={"replicas": 1, "selector": NAMES, "template": {"spec": {}}})
    return made


def pod(cluster: Cluster, *conditions: dict[str, str], phase: str = "Pending", spec: Any = None, **status: Any) -> None:
    cluster.has("Pod", "litellm-1", spec={"containers": [], **(spec or {})}, status={"phase": phase, "conditions": conditions, **status})


def condition(type: str, status: str = "False", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": type, "status": status, "reason": reason, "message": message}


UNPLACED = condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available")
PLACED = condition("PodScheduled", "True")
CLAIM = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data-0"}}]}


def waits(cluster: Cluster) -> str:
    said = Said()
    with pytest.raises(Interrupted):
        kube_wait.rollout(cluster, "Deployment", "litellm", "ns", said, 60)  # type: ignore[arg-type]
    (text,) = said
    return text


def test_a_quota_that_leaves_no_room_for_a_pod_is_named(cluster: Cluster) -> None:
    full = 'pods "litellm-1" is forbidden: exceeded quota: compute, requested: limits.cpu=2, used: limits.cpu=7, limited: limits.cpu=8'
    deployment = cluster.objects["Deployment", "litellm"]
    deployment["status"] = {"conditions": [condition("ReplicaFailure", "True", "FailedCreate", full)]}
    assert waits(cluster).startswith("litellm: 0/1 pods; no pod is made: FailedCreate: exceeded quota: compute, requested: limits.cpu=2")


def test_a_stateful_set_without_pods_says_its_own_warning(cluster: Cluster) -> None:
    workload = {"metadata": {"name": "zookeeper"}, "spec": {}}
    cluster.says("StatefulSet", "zookeeper", "FailedCreate", "exceeded quota: pods")
    found = obstacles.of_workload(cluster, "StatefulSet", workload, [], "ns")  # type: ignore[arg-type]
    assert found == "no pod is made: FailedCreate: exceeded quota: pods"


@pytest.mark.parametrize(
    ("claim", "there", "told"),
    [
        (None, (), "claim data-0: it does not exist"),
        ({"spec": {}, "status": {"phase": "Pending"}}, (), "claim data-0: it names no storage class, and there is no default one"),
        (
            {"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}, (),
            "claim data-0: storage class fast does not exist",
        ),
        ({"spec": {"storageClassName": "fast"}, "status": {"phase": "Lost"}}, ("fast",), "claim data-0: Lost: its volume is gone"),
    ],
)  # fmt: skip
def test_a_claim_is_followed_to_its_class(cluster: Cluster, claim: Any, there: tuple[str, ...], told: str) -> None:
    pod(cluster, UNPLACED, spec=CLAIM)
    if claim:
        cluster.has("PersistentVolumeClaim", "data-0", **claim)
    for name in there:
        cluster.has("StorageClass", name)
    assert told in waits(cluster)


def test_a_claim_that_waits_for_a_node_is_no_obstacle_and_one_that_has_its_node_is(cluster: Cluster) -> None:
    pod(cluster, UNPLACED, spec=CLAIM)
    cluster.has("StorageClass", "fast", volumeBindingMode="WaitForFirstConsumer")
    cluster.has("PersistentVolumeClaim", "data-0", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    cluster.says("PersistentVolumeClaim", "data-0", "ExternalProvisioning", "waiting for ebs.csi.eks.amazonaws.com", "Normal")
    assert "claim" not in waits(cluster)
    cluster.objects["PersistentVolumeClaim", "data-0"]["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "n"}
    assert "claim data-0: ExternalProvisioning: waiting for ebs.csi.eks.amazonaws.com" in waits(cluster)


def test_a_node_that_is_on_its_way_says_which_stage_it_is_at(cluster: Cluster) -> None:
    pod(cluster, UNPLACED)
    cluster.says("Pod", "litellm-1", "Nominated", "Pod should schedule on: nodeclaim/general-a1", "Normal")
    stages = [condition("Launched", "True"), condition("Registered", "Unknown", "NodeNotFound", "Node not registered with cluster")]
    cluster.has("NodeClaim", "general-a1", status={"conditions": stages})
    assert "NodeClaim general-a1: not Registered yet: NodeNotFound: Node not registered with cluster" in waits(cluster)


def test_a_node_pool_that_is_not_ready_is_named(cluster: Cluster) -> None:
    pod(cluster, UNPLACED)
    cluster.has("NodePool", "general", status={"conditions": [condition("Ready", "False", "NodeClassNotReady", "no subnets found")]})
    assert "NodePool general: not Ready: NodeClassNotReady: no subnets found" in waits(cluster)


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ([condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")], "not Ready: NodeStatusUnknown"),
        ([condition("DiskPressure", "True"), condition("Ready", "True")], "DiskPressure"),
    ],
)
def test_a_pod_on_a_sick_node_says_so(cluster: Cluster, conditions: Any, told: str) -> None:
    pod(cluster, PLACED, phase="Running", spec={"nodeName": "n-1"})
    cluster.has("Node", "n-1", status={"conditions": conditions})
    assert f"node n-1: {told}" in waits(cluster)


def test_a_large_image_that_is_being_pulled_a_health_check_and_a_gate_are_told_apart(cluster: Cluster) -> None:
    pod(cluster, PLACED)
    cluster.says("Pod", "litellm-1", "Pulling", 'Pulling image "ghcr.io/berriai/litellm-database"', "Normal")
    assert 'Pulling image "ghcr.io/berriai/litellm-database"' in waits(cluster)
    gate = {"readinessGates": [{"conditionType": "target-health"}]}
    pod(cluster, PLACED, condition("target-health", "False", "Initial", "in progress"), phase="Running", spec=gate)
    assert "readiness gate target-health: Initial: in progress" in waits(cluster)
    pod(cluster, PLACED, phase="Running")
    cluster.says("Pod", "litellm-1", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    assert "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503" in waits(cluster)


def test_a_container_that_ends_again_and_again_says_how(cluster: Cluster) -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod(cluster, PLACED, containerStatuses=[{"name": "c", "restartCount": 2, "state": state, "lastState": ended}])
    assert "CrashLoopBackOff, 2 restarts, its last run ended with OOMKilled (137)" in waits(cluster)


def test_what_may_not_be_read_ends_no_wait(cluster: Cluster) -> None:
    pod(cluster, UNPLACED, spec=CLAIM)
    cluster.forbidden = {"PersistentVolumeClaim", "NodePool", "NodeClaim"}
    assert waits(cluster).endswith("0/1 nodes are available")


def test_an_ingress_whose_class_is_not_there_says_so(cluster: Cluster) -> None:
    cluster.has("Ingress", "litellm", spec={"ingressClassName": "alb"})
    assert obstacles.of_ingress(cluster, "litellm", "ns") == "ingress class alb does not exist"  # type: ignore[arg-type]
    cluster.has("IngressClass", "alb")
    assert obstacles.of_ingress(cluster, "litellm", "ns") == ""  # type: ignore[arg-type]
    cluster.says("Ingress", "litellm", "FailedBuildModel", "no subnet has the tag")
    assert "FailedBuildModel: no subnet has the tag" in obstacles.of_ingress(cluster, "litellm", "ns")  # type: ignore[arg-type]
