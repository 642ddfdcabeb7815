"""A cluster that is a dictionary, with the controllers that a test gives it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from genai_platform.errors import StepError

Key = tuple[str, str, str]
INGRESS, HOOKS, REGISTRATION = "networking.k8s.io/v1", "admissionregistration.k8s.io/v1", "apiregistration.k8s.io/v1"


class Cluster:
    """Objects by kind, namespace and name. What has finalizers stays, marked as being deleted, until they are taken off.

    Attributes:
        controllers: called with each object that was told to go; they may take finalizers off and remove others.
        refused: a message for each kind whose deletion an admission webhook refuses.
    """

    def __init__(self, *documents: dict[str, Any], there: bool = True) -> None:
        self.there = there
        self.objects: dict[Key, dict[str, Any]] = {}
        self.controllers: list[Callable[[Cluster, dict[str, Any]], None]] = []
        self.refused: dict[str, str] = {}
        for one in documents:
            self.put(one)

    def put(self, document: dict[str, Any]) -> None:
        self.objects[_key(document)] = document

    def names(self, kind: str) -> set[str]:
        return {f"{place}/{name}".lstrip("/") for known, place, name in self.objects if known == kind}

    # -- as `Kube` does ---------------------------------------------------------------------------
    def exists(self) -> bool:
        return self.there

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get((kind, namespace or "", name)))

    def list(self, api_version: str, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = "") -> Any:
        wanted = dict(pair.split("=") for pair in label_selector.split(",") if pair)
        return [
            copy.deepcopy(one)
            for (known, place, _), one in self.objects.items()
            if known == kind
            and namespace in (None, place)
            and one["apiVersion"] == api_version
            and wanted.items() <= (one["metadata"].get("labels") or {}).items()
        ]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, propagation: str = "") -> bool:
        one = self.objects.get((kind, namespace or "", name))
        if one is None:
            return False
        if kind in self.refused and self.objects.keys() & {("ValidatingWebhookConfiguration", "", "policy")}:
            raise StepError(self.refused[kind])
        one["metadata"]["deletionTimestamp"] = "now"
        for controller in self.controllers:
            controller(self, one)
        if not one["metadata"].get("finalizers"):
            self.objects.pop((kind, namespace or "", name), None)
        return True

    def patch(self, api_version: str, kind: str, name: str, namespace: str | None, body: Any, strategy: str = "strategic") -> Any:
        one = self.objects[kind, namespace or "", name]
        for part, fields in body.items():
            one.setdefault(part, {}).update(fields)
        return one


def thing(api_version: str, kind: str, name: str, namespace: str = "", *, finalizers: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """One object."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **({"finalizers": [*finalizers]} if finalizers else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def webhook(name: str = "policy", **more: Any) -> dict[str, Any]:
    """A validating webhook of the service ``demo/policy``."""
    hook = {"name": "policy.example.com", "clientConfig": {"service": {"namespace": "demo", "name": "policy"}}, **more}
    return thing(HOOKS, "ValidatingWebhookConfiguration", name, webhooks=[hook])


def slice_of(service: str, namespace: str, *, ready: bool) -> dict[str, Any]:
    """The endpoints of a service with one pod."""
    made = thing("discovery.k8s.io/v1", "EndpointSlice", f"{service}-1", namespace, endpoints=[{"conditions": {"ready": ready}}])
    made["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return made


def api_service(name: str, *, available: str = "False") -> dict[str, Any]:
    conditions = [{"type": "Available", "status": available, "message": 'service/metrics in "demo" is not present'}]
    return thing(REGISTRATION, "APIService", name, spec={"service": {"name": "metrics"}}, status={"conditions": conditions})


def widgets(group: str = "example.com") -> dict[str, Any]:
    """The definition of a custom resource."""
    names = {"kind": "Widget", "plural": "widgets"}
    versions = [{"name": "v1", "served": True, "storage": True}]
    return thing(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"widgets.{group}",
        spec={"group": group, "names": names, "versions": versions},
    )


def widget(name: str, namespace: str, *finalizers: str) -> dict[str, Any]:
    return thing("example.com/v1", "Widget", name, namespace, finalizers=finalizers)


def claim(name: str, namespace: str, size: str = "20Gi") -> dict[str, Any]:
    return thing(
        "v1", "PersistentVolumeClaim", name, namespace, finalizers=("kubernetes.io/pvc-protection",), status={"capacity": {"storage": size}}
    )


def volume(name: str, claimed: tuple[str, str] | None, policy: str = "Delete", *, by_hand: bool = False) -> dict[str, Any]:
    reference = {"claimRef": {"namespace": claimed[0], "name": claimed[1]}} if claimed else {}
    made = thing(
        "v1", "PersistentVolume", name, spec={"capacity": {"storage": "20Gi"}, "persistentVolumeReclaimPolicy": policy, **reference}
    )
    if not by_hand:
        made["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "ebs.csi.eks.amazonaws.com"}
    return made


def _key(document: dict[str, Any]) -> Key:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]
