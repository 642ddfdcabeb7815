"""What other people put into the cluster in a day: in a namespace of their own, and for the whole cluster."""

from __future__ import annotations

import json
from typing import Any

from tests.end_to_end.conftest import Platform, wait_until

NAMESPACE = "demo"
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NOTES = {"alb.ingress.kubernetes.io/target-type": "ip", "alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS":443}]'}
_EVERYWHERE = {
    "apiGroups": ["", "apps", "networking.k8s.io", "example.com"], "apiVersions": ["*"], "operations": ["*"], "scope": "*",
    "resources": ["pods", "services", "configmaps", "deployments", "persistentvolumeclaims", "ingresses", "widgets"],
}  # fmt: skip


def _meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **more}


def _first() -> list[dict[str, Any]]:
    """A Service of type LoadBalancer, an Ingress of the platform's class, a claim, and the definition of a custom resource."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/demo", "pathType": "Prefix", "backend": backend}]
    names = {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"}
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "genai-platform", "resources": {"requests": {"storage": "20Gi"}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Service", "metadata": _meta("web"),
         "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "web"}}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": _meta("web", annotations=_NOTES),
         "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": paths}}]}},
        # The annotation is the scheduler's, so that the volume is there although no pod uses it.
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": claim,
         "metadata": _meta("data", annotations={"volume.kubernetes.io/selected-node": "sandbox-node"})},
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
         "spec": {"group": "example.com", "scope": "Namespaced", "names": names,
                  "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _OPEN}}]}},
    ]  # fmt: skip


def _then() -> list[dict[str, Any]]:
    """A custom resource whose controller is gone, an APIService and a webhook that nobody serves."""
    hook = {
        "name": "policy.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        "clientConfig": {"service": {"name": "policy", "namespace": NAMESPACE}}, "rules": [_EVERYWHERE],
    }  # fmt: skip
    served = {"name": "metrics-server", "namespace": NAMESPACE}
    return [
        {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": _meta("held", finalizers=["example.com/hold"])},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"},
         "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                  "insecureSkipTLSVerify": True, "service": served}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
         "metadata": {"name": "demo-policy"}, "webhooks": [hook]},
    ]  # fmt: skip


def put_in(platform: Platform) -> None:
    """Everything above, a load balancer in the network that nothing owns, and a group that the controller left there."""
    for some in (_first(), _then()):
        platform.tool("kubectl", "apply", "--filename", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": some}))
        wait_until(
            lambda: all("example.com" in one for one in [platform.tool("kubectl", "api-resources", code=None).out]),
            "the definition is served",
        )
    elb, ec2 = platform.aws("elbv2"), platform.aws("ec2")
    wait_until(lambda: any(one["Type"] == "network" for one in elb.describe_load_balancers()["LoadBalancers"]), "the Service's balancer")
    shared = next(one for one in elb.describe_load_balancers()["LoadBalancers"] if one["Type"] == "application")
    subnets = [zone["SubnetId"] for zone in shared["AvailabilityZones"]]
    elb.create_load_balancer(Name="left-alone", Subnets=subnets, Scheme="internal")
    tags = [{"Key": "eks:eks-cluster-name", "Value": "genai-sandbox"}]
    ec2.create_security_group(
        GroupName="k8s-traffic-left", Description="left", VpcId=shared["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )  # fmt: skip


NAMES = {"web", "data", "held", "demo-policy", "v1beta1.metrics.k8s.io", "left-alone"}
"""What a removal lists of it."""


def left_in(platform: Platform) -> dict[str, list[str]]:
    """What of it, or because of it, still exists in AWS and costs."""
    ec2 = platform.aws("ec2")
    return {
        "clusters": platform.aws("eks").list_clusters()["clusters"],
        "balancers": [one["LoadBalancerName"] for one in platform.aws("elbv2").describe_load_balancers()["LoadBalancers"]],
        "gateways": [one["NatGatewayId"] for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"],
        "volumes": [one["VolumeId"] for one in ec2.describe_volumes(IncludeManagedResources=True)["Volumes"]],
        "profiles": [one["InstanceProfileName"] for one in platform.aws("iam").list_instance_profiles()["InstanceProfiles"]],
    }
