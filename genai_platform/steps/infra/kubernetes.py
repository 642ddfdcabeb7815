"""infra.kubernetes: the namespace, the storage class and the ingress class, before anything lives in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress, Step
from genai_platform.render import manifests
from genai_platform.render.manifests import Document
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import foreign
from genai_platform.steps.infra.certificate import certificate_arn
from genai_platform.steps.objects import Objects, Ref, release_volumes
from genai_platform.tools.aws import load_balancers
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.wait import wait_for

PARAMS_CRD = "ingressclassparams.eks.amazonaws.com"
_CRD_LIMIT = 300

# In the order of deletion: parameters outlive the class, the class outlives the namespace's ingresses.
_REFS = (
    Ref("v1", "Namespace", NAMESPACE, None),
    Ref("networking.k8s.io/v1", "IngressClass", "alb", None),
    Ref("eks.amazonaws.com/v1", "IngressClassParams", "genai-platform", None),
    Ref("storage.k8s.io/v1", "StorageClass", "genai-platform", None),
)


@dataclass(frozen=True)
class Foundations(Objects):
    """Auto Mode brings the kind ``IngressClassParams`` itself, some time after the cluster is active: it is waited for first."""

    def apply(self, progress: Progress) -> str:
        def served() -> bool | None:
            found = self.kube().get("apiextensions.k8s.io/v1", "CustomResourceDefinition", PARAMS_CRD) or {}
            conditions = found.get("status", {}).get("conditions") or ()
            return True if any(one["type"] == "Established" and one["status"] == "True" for one in conditions) else None

        wait_for(served, progress, lambda: "waiting for EKS Auto Mode to serve IngressClassParams", _CRD_LIMIT)
        return super().apply(progress)


def step(clients: Clients) -> Step:
    """Namespace, storage class and ingress class."""

    def documents() -> list[Document]:
        return [
            *manifests.namespace(clients.target.settings.langfuse.chart.line),
            *manifests.storage_class(),
            *manifests.ingress_class(clients.target.prefix, [arn] if (arn := certificate_arn(clients)) else []),
        ]

    return Foundations(
        id="infra.kubernetes",
        needs=("infra.cluster", "infra.certificate") if clients.target.settings.ingress.tls == "auto" else ("infra.cluster",),
        minutes=0.2,
        limit=900,
        kube=lambda: clients.kube,
        documents=documents,
        refs=_REFS,
        evidence=lambda: f"namespace {NAMESPACE}, storage class and ingress class",
        before_destroy=lambda progress: _release(clients, progress),
    )


def _release(clients: Clients, progress: Progress) -> str:
    """What needs its controllers: the ingresses of others of this class, with the load balancer they share, and our volumes."""
    foreign.remove_shared(clients, progress)
    load_balancers.wait_gone(clients.aws, clients.target.prefix, progress, 300)
    kube = clients.kube
    volumes = [
        str(one["metadata"]["name"])
        for one in kube.list("v1", "PersistentVolume")
        if (one["spec"].get("claimRef") or {}).get("namespace") == NAMESPACE
    ]
    # Whatever still runs here holds its claims; what belongs to a chart was taken away by its own step before.
    for api, kind in (("apps/v1", "StatefulSet"), ("apps/v1", "Deployment"), ("batch/v1", "Job")):
        for one in kube.list(api, kind, NAMESPACE):
            kube_wait.delete(kube, api, kind, one["metadata"]["name"], NAMESPACE, progress)
    claims = [str(one["metadata"]["name"]) for one in kube.list("v1", "PersistentVolumeClaim", NAMESPACE)]
    release_volumes(kube, claims, volumes, progress, 300)
    return f"{len(volumes)} volumes released" if volumes else ""
