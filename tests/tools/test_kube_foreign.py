"""What other people put into the cluster, and why something there does not end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from genai_platform.errors import StepError
from genai_platform.tools.kubernetes import foreign as kube_foreign
from genai_platform.tools.kubernetes import stuck as kube_stuck
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import Kube
from tests.clusters import INGRESS, Cluster, api_service, claim, slice_of, thing, volume, webhook, widget, widgets
from tests.tools.aws_world import Quiet


def look(*documents: dict[str, Any]) -> dict[str, kube_foreign.Foreign]:
    seen = kube_foreign.look(cast(Kube, Cluster(*documents)), ("litellm", "langfuse"))
    assert seen.unseen == ()
    return {str(one): one for one in seen.objects}


def service(namespace: str, kind: str = "LoadBalancer") -> dict[str, Any]:
    return thing("v1", "Service", "web", namespace, spec={"type": kind})


def ingress(name: str, namespace: str, used: str, *finalizers: str) -> dict[str, Any]:
    return thing(INGRESS, "Ingress", name, namespace, finalizers=finalizers, spec={"ingressClassName": used})


CLASS = thing(INGRESS, "IngressClass", "own", spec={"controller": "eks.amazonaws.com/alb"})


def test_load_balancers_of_others_are_found_in_every_namespace_with_their_cost() -> None:
    found = look(
        CLASS, service("demo"), service("genai-platform"), service("kube-system"), service("other", "ClusterIP"),
        ingress("litellm", "genai-platform", "alb"), ingress("litellm", "demo", "alb"), ingress("web", "demo", "own"),
        ingress("inside", "demo", "nginx"),
    )  # fmt: skip
    assert set(found) == {"Service demo/web", "Service genai-platform/web", "Ingress demo/litellm", "Ingress demo/web"}
    assert found["Service demo/web"].usd_per_hour == found["Ingress demo/web"].usd_per_hour == pytest.approx(0.0243)
    assert found["Ingress demo/litellm"].usd_per_hour == 0
    assert found["Service demo/web"].remove == "kubectl delete service web --namespace demo"


def test_claims_of_others_and_volumes_without_a_claim_are_found_with_their_cost() -> None:
    found = look(
        claim("data", "demo"), claim("data-langfuse", "genai-platform"), volume("pvc-1", ("demo", "data")),
        volume("pvc-2", ("gone", "data"), "Retain"), volume("mine", None, "Retain", by_hand=True),
    )  # fmt: skip
    assert set(found) == {"PersistentVolumeClaim demo/data", "PersistentVolume pvc-2"}
    assert found["PersistentVolumeClaim demo/data"].usd_per_hour == pytest.approx(20 * 0.096 / 730)


def test_custom_resources_count_when_they_have_finalizers_and_are_not_the_platforms() -> None:
    found = look(widgets(), widget("held", "demo", "example.com/hold"), widget("free", "demo"), widget("held", "kube-system", "a.b/c"))
    assert [(name, one.detail) for name, one in found.items()] == [("Widget demo/held", "held by example.com/hold")]
    assert look(widgets("karpenter.sh"), widget("held", "demo", "example.com/hold")) == {}


@pytest.mark.parametrize(
    "documents",
    [
        [webhook(), slice_of("policy", "demo", ready=True)],
        [webhook(failurePolicy="Ignore")],
        [webhook(clientConfig={"url": "https://policy.example.com"})],
        [webhook("vpc-resource-validating-webhook")],
        [api_service("v1beta1.metrics.k8s.io", available="True")],
    ],
)
def test_what_is_served_or_stands_in_nobodys_way_is_left_out(documents: list[dict[str, Any]]) -> None:
    assert look(*documents) == {}


def test_webhooks_and_api_services_that_nobody_serves_are_named_with_the_command_that_ends_them() -> None:
    found = look(webhook(), slice_of("policy", "demo", ready=False), api_service("v1beta1.metrics.k8s.io"))
    assert {one.remove for one in found.values()} == {
        "kubectl delete validatingwebhookconfiguration policy",
        "kubectl delete apiservice v1beta1.metrics.k8s.io",
    }
    assert all(one.dead for one in found.values())


class Blind(Cluster):
    def list(self, api_version: str, kind: str, namespace: str | None = None, **selectors: Any) -> Any:
        if kind == "Service":
            raise StepError("could not list Service: 503")
        return super().list(api_version, kind, namespace, **selectors)


def test_what_cannot_be_listed_is_said_and_the_rest_is_found() -> None:
    seen = kube_foreign.look(cast(Kube, Blind(claim("data", "demo"))))
    assert [str(one) for one in seen.objects] == ["PersistentVolumeClaim demo/data"]
    assert seen.unseen == ("could not list Service: 503",)


# -- what does not end ----------------------------------------------------------------------------
def ending(*conditions: tuple[str, str]) -> dict[str, Any]:
    said = [{"type": kind, "status": "True", "message": message} for kind, message in conditions]
    return thing("v1", "Namespace", "genai-platform", status={"phase": "Terminating", "conditions": said}, finalizers=("kubernetes",))


DISCOVERY = ("NamespaceDeletionDiscoveryFailure", "Discovery failed for some groups, 1 failing: metrics.k8s.io/v1beta1: stale GroupVersion")
CONTENT = ("NamespaceDeletionContentFailure", 'Failed to delete all resource types: failed calling webhook "policy.example.com"')
HELD = ("NamespaceFinalizersRemaining", "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances")


@pytest.mark.parametrize(
    ("condition", "command"),
    [
        (DISCOVERY, "kubectl delete apiservice v1beta1.metrics.k8s.io"),
        (CONTENT, "kubectl delete validatingwebhookconfiguration policy"),
        (
            HELD,
            """kubectl patch widgets.example.com held --namespace genai-platform --type merge --patch '{"metadata":{"finalizers":null}}'""",
        ),
    ],
)
def test_a_namespace_that_cannot_end_says_why_and_which_command_ends_it(
    monkeypatch: pytest.MonkeyPatch, condition: tuple[str, str], command: str
) -> None:
    monkeypatch.setattr(kube_wait, "STUCK", 0.0)
    cluster = Cluster(
        ending(condition), webhook(), api_service("v1beta1.metrics.k8s.io"), widgets(), widget("held", "genai-platform", "example.com/hold")
    )
    with pytest.raises(StepError) as stuck:
        kube_wait.gone(cast(Kube, cluster), "v1", "Namespace", ["genai-platform"], None, Quiet(), 0)
    assert condition[1] in stuck.value.message
    assert stuck.value.remedy == command


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        (("NamespaceContentRemaining", "Some resources are remaining: pods. has 2 resource instances"),),
        (("NamespaceFinalizersRemaining", "finalizers remaining: ingress.eks.amazonaws.com/resources in 1 resource instances"),),
    ],
)
def test_what_kubernetes_and_eks_finish_themselves_is_waited_for(conditions: tuple[tuple[str, str], ...]) -> None:
    found = kube_stuck.namespace(cast(Kube, Cluster()), ending(*conditions))
    assert found is None or found.remedy == ""


class Refusing(Cluster):
    """A cluster in which a job gets no pod."""

    def __init__(self, *documents: dict[str, Any], message: str) -> None:
        super().__init__(*documents)
        self.message = message

    def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        return [{"type": "Warning", "reason": "FailedCreate", "message": self.message}] if kind == "Job" else []


def test_a_job_whose_pods_a_dead_webhook_refuses_ends_at_once_with_the_command() -> None:
    job = thing("batch/v1", "Job", "ask", "genai-platform", spec={"selector": {"matchLabels": {"job-name": "ask"}}})
    refused = 'Internal error occurred: failed calling webhook "policy.example.com": no endpoints available for service "policy"'
    world = Refusing(job, webhook(), message=refused)
    with pytest.raises(StepError) as told:
        kube_wait.job(world, "ask", "genai-platform", Quiet(), 60)  # type: ignore[arg-type]
    assert told.value.remedy == "kubectl delete validatingwebhookconfiguration policy"
    assert told.value.remedy in told.value.message


def test_a_job_without_a_pod_says_why() -> None:
    job = thing("batch/v1", "Job", "ask", "genai-platform", spec={"selector": {"matchLabels": {"job-name": "ask"}}})
    with pytest.raises(StepError, match="no pod yet; last event: FailedCreate: exceeded quota"):
        kube_wait.job(Refusing(job, message="exceeded quota"), "ask", "genai-platform", Quiet(), 0)  # type: ignore[arg-type]
