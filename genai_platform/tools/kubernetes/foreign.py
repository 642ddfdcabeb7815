"""What other people put into the cluster and its end has to deal with: read from the API, and changed by nobody here.

Load balancers (Services, Ingresses), claims with their volumes, custom resources with finalizers, and webhooks and
APIServices that nobody serves any more. In every namespace but those that Kubernetes and EKS keep for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from genai_platform.config.target import NAMESPACE
from genai_platform.errors import GenaiError
from genai_platform.tools.aws.leftovers.items import GIGABYTE, USD
from genai_platform.tools.kubernetes.client import Document, Kube
from genai_platform.tools.parallel import gather

ALB_CONTROLLER = "eks.amazonaws.com/alb"
_CRD = "apiextensions.k8s.io/v1"
_HOOKS = "admissionregistration.k8s.io/v1"
_REGISTRATION = "apiregistration.k8s.io/v1"
_INGRESS = "networking.k8s.io/v1"
PROVISIONED = "pv.kubernetes.io/provisioned-by"
_OF_THE_PLATFORM = frozenset({"cert-manager", "clickhouse-operator"})
"""Namespaces of the operator that chart line 2 needs: its own step removes them."""
_OF_EKS = ("eks-", "vpc-resource-", "pod-identity-webhook", "amazon-")
_GROUPS_OF_EKS = ("eks.amazonaws.com", "k8s.aws", "karpenter.sh", "k8s.amazonaws.com")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Foreign:
    """One object that is not the platform's.

    Attributes:
        namespace: empty for an object of the whole cluster.
        detail: why it matters, e.g. ``load balancer`` or ``held by example.com/keep``.
        usd_per_hour: what AWS asks for what it made for the object; an estimate.
        resource: how ``kubectl`` names the kind.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    detail: str
    usd_per_hour: float
    resource: str

    @property
    def dead(self) -> bool:
        """Whether it is a webhook configuration or an APIService: nobody serves it, and it blocks others."""
        return self.api_version in (_HOOKS, _REGISTRATION)

    @property
    def remove(self) -> str:
        """The command that removes it."""
        return f"kubectl delete {self.resource} {self.name}" + (f" --namespace {self.namespace}" if self.namespace else "")

    def __str__(self) -> str:
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True)
class Listing:
    """What exists, and what could not be looked at (one line each)."""

    objects: tuple[Foreign, ...]
    unseen: tuple[str, ...]


def look(kube: Kube, own_ingresses: Collection[str] = ()) -> Listing:
    """Everything of others in the cluster. ``own_ingresses``: names of the platform's own ingresses in its namespace."""
    unseen: list[str] = []

    def one(list_some: Callable[[], Iterator[Foreign]]) -> list[Foreign]:
        try:
            return list(list_some())
        except GenaiError as error:
            unseen.append(error.message)
            return []

    looks = (lambda: balancers(kube, own_ingresses), *(lambda of=of: of(kube) for of in (claims, held, webhooks, services)))
    found = gather(looks, one)
    return Listing(tuple(thing for some in found for thing in some), tuple(unseen))


def system(namespace: str) -> bool:
    """Whether Kubernetes or EKS keeps a namespace for itself."""
    return namespace.startswith(("kube-", "amazon-"))


def balancers(kube: Kube, own_ingresses: Collection[str] = ()) -> Iterator[Foreign]:
    """Services and Ingresses for which the controller made a load balancer, or shares the platform's."""
    for one in kube.list("v1", "Service"):
        place, name = _place(one), one["metadata"]["name"]
        if one["spec"].get("type") == "LoadBalancer" and not system(place):
            yield Foreign("v1", "Service", place, name, "load balancer", USD["load-balancer"], "service")
    classes = {one["metadata"]["name"]: one["spec"].get("controller") for one in kube.list(_INGRESS, "IngressClass")}
    for one in kube.list(_INGRESS, "Ingress"):
        place, name, used = _place(one), one["metadata"]["name"], one["spec"].get("ingressClassName", "")
        if (place == NAMESPACE and name in own_ingresses) or system(place):
            continue
        held = one["metadata"].get("finalizers") or []
        if used == "alb":
            yield Foreign(_INGRESS, "Ingress", place, name, "shares the platform's load balancer", 0.0, "ingress")
        elif classes.get(used) == ALB_CONTROLLER or held:
            detail = "load balancer" if classes.get(used) == ALB_CONTROLLER else f"held by {', '.join(held)}"
            yield Foreign(_INGRESS, "Ingress", place, name, detail, USD["load-balancer"] * (detail == "load balancer"), "ingress")


def claims(kube: Kube) -> Iterator[Foreign]:
    """Claims outside the platform's namespace with what their volumes cost, and volumes that lost their claim."""
    claimed = set()
    for one in kube.list("v1", "PersistentVolumeClaim"):
        place, name = _place(one), one["metadata"]["name"]
        claimed.add((place, name))
        if place == NAMESPACE or system(place):
            continue
        size = (one.get("status", {}).get("capacity") or {}).get("storage", "")
        detail = f"volume of {size}" if size else "no volume yet"
        yield Foreign("v1", "PersistentVolumeClaim", place, name, detail, gigabytes(size) * GIGABYTE["volume"], "pvc")
    for one in kube.list("v1", "PersistentVolume"):
        reference = one["spec"].get("claimRef") or {}
        if made_here(one) and (reference.get("namespace"), reference.get("name")) not in claimed:
            size = one["spec"]["capacity"]["storage"]
            name = one["metadata"]["name"]
            yield Foreign("v1", "PersistentVolume", "", name, f"{size}, without a claim", gigabytes(size) * GIGABYTE["volume"], "pv")


def made_here(volume: Document) -> bool:
    """Whether the cluster's disk driver made a volume for a claim. One that a person brought along is that person's."""
    return "ebs.csi" in str((volume["metadata"].get("annotations") or {}).get(PROVISIONED, ""))


def held(kube: Kube) -> Iterator[Foreign]:
    """Custom resources that do not go before somebody takes their finalizers off."""
    kinds = [one for one in kube.list(_CRD, "CustomResourceDefinition") if not one["spec"]["group"].endswith(_GROUPS_OF_EKS)]
    for found in gather(kinds, lambda kind: list(_held_of(kube, kind))):
        yield from found


def _held_of(kube: Kube, kind: Document) -> Iterator[Foreign]:
    spec = kind["spec"]
    version = next((one["name"] for one in spec["versions"] if one["storage"] and one["served"]), None)
    if version is None:
        return
    api_version, name = f"{spec['group']}/{version}", spec["names"]["kind"]
    for one in kube.list(api_version, name):
        place, finalizers = one["metadata"].get("namespace", ""), one["metadata"].get("finalizers") or []
        ours = place in _OF_THE_PLATFORM or (place == NAMESPACE and spec["group"] == "clickhouse.com")
        if finalizers and not ours and not system(place):
            resource = f"{spec['names']['plural']}.{spec['group']}"
            yield Foreign(api_version, name, place, one["metadata"]["name"], f"held by {', '.join(finalizers)}", 0.0, resource)


def webhooks(kube: Kube) -> Iterator[Foreign]:
    """Webhook configurations that refuse everything because no pod answers for their service."""
    served: dict[tuple[str, str], bool] = {}
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for one in kube.list(_HOOKS, kind):
            name = one["metadata"]["name"]
            if name.startswith(_OF_EKS):
                continue
            for hook in one.get("webhooks") or ():
                service = (hook.get("clientConfig") or {}).get("service")
                if not service or hook.get("failurePolicy", "Fail") != "Fail":
                    continue
                where = (service["namespace"], service["name"])
                if where not in served:
                    served[where] = _served(kube, *where)
                if not served[where]:
                    detail = f"nobody serves it: no pod answers for service {where[0]}/{where[1]}"
                    yield Foreign(_HOOKS, kind, "", name, detail, 0.0, kind.lower())
                    break


def _served(kube: Kube, namespace: str, name: str) -> bool:
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace, label_selector=f"kubernetes.io/service-name={name}")
    endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or ()]
    return any((endpoint.get("conditions") or {}).get("ready", True) is not False for endpoint in endpoints)


def services(kube: Kube) -> Iterator[Foreign]:
    """APIServices that nobody serves: with one of them no namespace ends, and Helm reads no kinds."""
    for one in kube.list(_REGISTRATION, "APIService"):
        conditions = {entry["type"]: entry for entry in one.get("status", {}).get("conditions") or ()}
        available = conditions.get("Available", {})
        if one["spec"].get("service") and available.get("status") == "False":
            detail = f"nobody serves it: {available.get('message') or available.get('reason') or 'not available'}"
            yield Foreign(_REGISTRATION, "APIService", "", one["metadata"]["name"], detail[:200], 0.0, "apiservice")


def gigabytes(quantity: str) -> float:
    """``20Gi`` as gigabytes; 0 for what is not a quantity."""
    for unit, factor in _UNITS.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * factor / 2**30
    return float(quantity) / 2**30 if quantity.isdigit() else 0.0


def _place(document: dict[str, Any]) -> str:
    return str(document["metadata"].get("namespace", ""))
