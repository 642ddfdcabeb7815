"""What the sandbox's cluster has before anybody installs anything.

As an EKS cluster in Auto Mode: the parameters of ingress classes, the kinds of its nodes, and the disk driver. Also the kinds of the
ClickHouse operator (chart line 2), whose own charts cannot be had everywhere: any of their fields is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genai_platform.sandbox.cluster.api import Api

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_PAIRS = {"type": "array", "items": {"type": "object", "required": ["key", "value"], "properties": {"key": _TEXT, "value": _TEXT}}}
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_INGRESS_CLASS_PARAMS = {
    "certificateARNs": _TEXTS,
    "group": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
    "inboundCIDRs": _TEXTS,
    "ipAddressType": {"type": "string", "enum": ["ipv4", "dualstack", "dualstack-without-public-ipv4"]},
    "loadBalancerAttributes": _PAIRS,
    "namespaceSelector": _OPEN,
    "scheme": {"type": "string", "enum": ["internal", "internet-facing"]},
    "sslPolicy": _TEXT,
    "subnets": {
        "type": "object",
        "properties": {
            "ids": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^subnet-[0-9a-f]+$"}},
            "matchTags": {"type": "array", "items": {"type": "object", "properties": {"key": _TEXT, "values": _TEXTS}}},
            "tags": {"type": "object", "additionalProperties": _TEXTS},
        },
    },
    "tags": _PAIRS,
    "targetType": {"type": "string", "enum": ["instance", "ip"]},
}

_CLASS_COLUMNS = [
    {"name": "GROUP-NAME", "type": "string", "jsonPath": ".spec.group.name"},
    {"name": "SCHEME", "type": "string", "jsonPath": ".spec.scheme"},
    {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def definitions() -> Iterator[dict[str, Any]]:
    """The custom resource definitions. The first refuses or drops fields it does not list, as the real one does."""
    params = {"type": "object", "properties": _INGRESS_CLASS_PARAMS}
    columns = {"additionalPrinterColumns": _CLASS_COLUMNS}
    yield _definition("eks.amazonaws.com", "v1", "IngressClassParams", "ingressclassparams", "Cluster", {"spec": params}, columns)
    anything = {"spec": _OPEN, "status": _OPEN}
    status: dict[str, Any] = {"subresources": {"status": {}}}
    for group, version, scope, kinds in (
        ("karpenter.sh", "v1", "Cluster", ("NodePool", "NodeClaim")),
        ("clickhouse.com", "v1alpha1", "Namespaced", ("ClickHouseCluster", "KeeperCluster")),
    ):
        for kind in kinds:
            yield _definition(group, version, kind, f"{kind.lower()}s", scope, anything, status)


def install(api: Api) -> None:
    """Put everything of this file into the cluster."""
    for definition in definitions():
        api.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    driver = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": "ebs.csi.eks.amazonaws.com"},
        # The node agent attaches nothing: no controller should wait for it.
        "spec": {"attachRequired": False, "podInfoOnMount": False, "fsGroupPolicy": "ReadWriteOnceWithFSType"},
    }
    api.apply("/apis/storage.k8s.io/v1/csidrivers", driver)


def established(api: Api) -> bool:
    """Whether the API server serves every definition."""
    for definition in definitions():
        found = api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}") or {}
        conditions = found.get("status", {}).get("conditions", [])
        if not any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions):
            return False
    return True


def _definition(
    group: str, version: str, kind: str, plural: str, scope: str, fields: dict[str, Any], further: dict[str, Any]
) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "properties": fields}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema, **further}],
        },
    }
