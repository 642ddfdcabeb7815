"""What others put into the cluster goes with it, while its controllers still run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import foreign
from genai_platform.steps.infra.terraform import ClusterStep
from tests.clusters import INGRESS, Cluster, api_service, claim, slice_of, thing, volume, webhook, widget, widgets
from tests.tools.aws_world import Quiet

FINALIZER = "service.eks.amazonaws.com/resources"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "PATIENCE", 0.0)
    monkeypatch.setattr(foreign, "LIMIT", 0.0)


def clients(cluster: Cluster) -> Clients:
    return Clients(Target("default", Settings(), Endpoints(), Path("nowhere")), kube=cluster)  # type: ignore[arg-type]


def auto_mode(cluster: Cluster, one: dict[str, Any]) -> None:
    """Takes off the finalizers of EKS and Kubernetes; a claim goes when no pod uses it, and its volume by its policy."""
    held = one["metadata"].get("finalizers", [])
    used = any(place == one["metadata"].get("namespace") for kind, place, _ in cluster.objects if kind == "StatefulSet")
    if one["kind"] == "PersistentVolumeClaim" and used:
        return
    one["metadata"]["finalizers"] = [name for name in held if not ("eks.amazonaws.com" in name or "kubernetes.io" in name)]
    for key, disk in list(cluster.objects.items()):
        reference = disk.get("spec", {}).get("claimRef", {})
        if (
            key[0] == "PersistentVolume"
            and one["kind"] == "PersistentVolumeClaim"
            and reference.get("name") == one["metadata"]["name"]
            and disk["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        ):
            del cluster.objects[key]


def everything() -> Cluster:
    cluster = Cluster(
        thing("v1", "Service", "web", "demo", finalizers=(FINALIZER,), spec={"type": "LoadBalancer"}),
        thing(INGRESS, "Ingress", "web", "demo", finalizers=("ingress.eks.amazonaws.com/resources",), spec={"ingressClassName": "alb"}),
        thing(INGRESS, "Ingress", "litellm", "genai-platform", spec={"ingressClassName": "alb"}),
        thing("apps/v1", "StatefulSet", "db", "demo"),
        claim("data", "demo"), volume("pvc-1", ("demo", "data"), "Retain"),
        volume("brought-along", ("demo", "other"), "Retain", by_hand=True),
        widgets(), widget("free", "demo", "kubernetes.io/x"), webhook(), api_service("v1beta1.metrics.k8s.io"),
    )  # fmt: skip
    cluster.controllers.append(auto_mode)
    return cluster


def test_everything_of_others_goes_with_its_volumes_and_nothing_of_the_platform() -> None:
    cluster = everything()
    said = foreign.remove(clients(cluster), Quiet())
    assert said == "4 objects of others removed"
    kinds = {"Service", "PersistentVolumeClaim", "Widget", "ValidatingWebhookConfiguration", "APIService", "StatefulSet"}
    assert {kind: cluster.names(kind) for kind in kinds} == {kind: set() for kind in kinds}
    assert cluster.names("Ingress") == {"genai-platform/litellm"}
    # A volume that somebody brought along is not the cluster's, and keeps its disk.
    assert cluster.names("PersistentVolume") == {"brought-along"}
    assert cluster.objects["PersistentVolume", "", "brought-along"]["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_what_nobody_releases_is_named_and_left_to_the_end_of_the_cluster() -> None:
    cluster = everything()
    cluster.put(widget("held", "demo", "example.com/hold"))
    assert foreign.remove(clients(cluster), Quiet()).endswith("left to the cluster's end: Widget demo/held")


def test_a_webhook_that_loses_its_pods_on_the_way_is_got_around() -> None:
    """Its pods go with what uses the claims."""
    cluster = everything()
    pods = slice_of("policy", "demo", ready=True)
    cluster.put(pods)

    def leave(there: Cluster, one: dict[str, Any]) -> None:
        pods["endpoints"] = []

    cluster.controllers.append(leave)
    cluster.refused = {"Service": "could not delete Service web: 500 failed calling webhook"}
    foreign.remove(clients(cluster), Quiet())
    assert cluster.names("Service") == cluster.names("ValidatingWebhookConfiguration") == set()


class Silent(Cluster):
    """A cluster whose API answers no more."""

    def list(self, *_: Any, **__: Any) -> Any:
        raise StepError("the Kubernetes API does not answer", id="kube.unreachable")


class Terraform:
    """Writes down what of the cluster was still there when its root was destroyed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self.there = cluster, set[str]()

    def recover(self, *_: Any, **__: Any) -> None: ...

    def variables(self, root: str) -> dict[str, Any]:
        return {}

    def destroy(self, root: str, variables: Any, progress: Any, limit: float) -> str:
        self.there = self._cluster.names("Service") | self._cluster.names("PersistentVolumeClaim")
        return "9 removed"


def test_it_goes_before_the_cluster_does() -> None:
    cluster = everything()
    terraform, found = Terraform(cluster), clients(cluster)
    found.terraform = terraform
    step = ClusterStep(found, "cluster", (), 1, lambda clients: {})
    assert step.destroy(Quiet()) == "4 objects of others removed; 9 removed"
    assert terraform.there == set()


def test_a_cluster_that_is_gone_or_silent_stops_nothing() -> None:
    assert "the Kubernetes API does not answer" in foreign.remove(clients(Silent()), Quiet())
    assert foreign.look(clients(Silent())).unseen
    assert foreign.remove(clients(Cluster(there=False)), Quiet()) == ""
    assert foreign.look(clients(Cluster(there=False))) == foreign.Listing((), ())
