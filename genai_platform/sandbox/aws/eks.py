"""EKS: what Auto Mode adds to a cluster, access entries, updates; endpoint, authority and issuer of the real API server."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException, InvalidRequestException, ResourceInUseException, ResourceNotFoundException
from moto.eks.models import eks_backends
from moto.eks.responses import EKSResponse

from genai_platform.sandbox.aws import eks_versions
from genai_platform.sandbox.aws.identity import ACCOUNT, ADMINISTRATOR, issuer
from genai_platform.sandbox.aws.rest_operations import Reply, reply
from genai_platform.sandbox.aws.stand_in import AwsStandIn
from genai_platform.sandbox.pace import EKS_DELETION

_POLICY = "arn:aws:eks::aws:cluster-access-policy/"
_UPDATED = {
    "kubernetesNetworkConfig": ("kubernetes_network_config", "VersionUpdate"),
    "accessConfig": ("access_config", "ConfigUpdate"),
    "computeConfig": ("compute_config", "ConfigUpdate"),
    "storageConfig": ("storage_config", "ConfigUpdate"),
    "upgradePolicy": ("upgrade_policy", "ConfigUpdate"),
    "resourcesVpcConfig": ("resources_vpc_config", "EndpointAccessUpdate"),
    "logging": ("logging", "LoggingUpdate"),
}
"""What an update may bring, where moto's cluster has it, and what EKS calls the update."""
_DELETING = "DELETING"
_NETWORKS = 40
"""EKS quotas: public endpoint access CIDR ranges per cluster."""


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's EKS."""
    create, delete = EKSResponse.create_cluster, EKSResponse.delete_cluster

    def create_cluster(self: Any) -> Any:
        asked = json.loads(self.body)
        eks_versions.check_new(asked.get("version"))
        _check_networks(asked.get("resourcesVpcConfig"))
        result = create(self)
        _complete(stand_in, result.result["cluster"], asked, self.region)
        _endpoint(stand_in)
        return result

    def delete_cluster(self: Any) -> Any:
        clusters = self.eks_backend.clusters
        known = clusters.get(self._get_param("name"))
        if known is not None and known.deletion_protection:
            raise InvalidRequestException(
                message=f"Cluster {known.name} cannot be deleted because deletion protection is enabled. Disable it first."
            )
        if known is not None and known.status == _DELETING:
            return ActionResult({"cluster": known})
        result = delete(self)
        cluster = result.result["cluster"]
        cluster.status = _DELETING
        clusters[cluster.name] = cluster
        _endpoint(stand_in)
        stand_in.later(EKS_DELETION, lambda: _gone(self.region, cluster))
        return result

    EKSResponse.create_cluster = create_cluster
    EKSResponse.delete_cluster = delete_cluster


def resume(stand_in: AwsStandIn) -> None:
    """Go on with the clusters that were read from saved state."""
    for region, backend in list(eks_backends[ACCOUNT].items()):
        for cluster in list(backend.clusters.values()):
            if cluster.status == _DELETING:
                _gone(region, cluster)
    _endpoint(stand_in)


def _endpoint(stand_in: AwsStandIn) -> None:
    """There is an endpoint, and an issuer, as long as there is a cluster that is not being deleted."""
    created = [
        getattr(cluster, "active_since", 0.0)
        for backend in eks_backends[ACCOUNT].values()
        for cluster in backend.clusters.values()
        if cluster.status != _DELETING
    ]
    if created:
        stand_in.endpoint.opened(min(created))
        stand_in.oidc_issuer.opened()
    else:
        stand_in.endpoint.closed()
        stand_in.oidc_issuer.closed()


def _gone(region: str, cluster: Any) -> None:
    """End a cluster's deletion."""
    eks_backends[ACCOUNT][region].clusters.pop(cluster.name, None)
    group = cluster.resources_vpc_config.get("clusterSecurityGroupId")
    if group:
        with contextlib.suppress(DependencyViolationError):  # somebody else uses it: EKS leaves it behind
            ec2_backends[ACCOUNT][region].delete_security_group(group_id=group)


def _check_networks(asked: dict[str, Any] | None) -> None:
    if len((asked or {}).get("publicAccessCidrs") or ()) > _NETWORKS:
        raise InvalidParameterException(message=f"publicAccessCidrs: at most {_NETWORKS} CIDR blocks are allowed")


def _complete(stand_in: AwsStandIn, cluster: Any, asked: dict[str, Any], region: str) -> None:
    layout = stand_in.layout
    cluster.endpoint = stand_in.endpoint.address
    cluster.active_since = time.time()
    authority = layout.ca_file.read_bytes() if layout.ca_file.exists() else b""
    cluster.certificate_authority = {"data": base64.b64encode(authority).decode()}
    cluster.identity = {"oidc": {"issuer": issuer(layout, region)}}
    cluster.health = {"issues": []}
    cluster.platform_version = "eks.1"
    access = {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True} | (asked.get("accessConfig") or {})
    cluster.access_config = access
    cluster.compute_config = asked.get("computeConfig")
    cluster.storage_config = asked.get("storageConfig")
    cluster.upgrade_policy = asked.get("upgradePolicy") or {"supportType": "EXTENDED"}
    cluster.deletion_protection = bool(asked.get("deletionProtection"))
    network = {"ipFamily": "ipv4", "serviceIpv4Cidr": layout.service_cidr} | (asked.get("kubernetesNetworkConfig") or {})
    network.setdefault("elasticLoadBalancing", {"enabled": False})
    cluster.kubernetes_network_config = network
    cluster.logging = asked.get("logging") or {"clusterLogging": []}
    cluster.resources_vpc_config = _vpc(cluster.name, asked.get("resourcesVpcConfig") or {}, region)
    cluster.access_entries = {}
    cluster.updates = {}
    if access["bootstrapClusterCreatorAdminPermissions"]:
        _associate(_entry(cluster, {"principalArn": ADMINISTRATOR}, region), "AmazonEKSClusterAdminPolicy", {})
    compute = asked.get("computeConfig") or {}
    if compute.get("enabled") and compute.get("nodeRoleArn"):
        _associate(_entry(cluster, {"principalArn": compute["nodeRoleArn"], "type": "EC2"}, region), "AmazonEKSAutoNodePolicy", {})


def _vpc(name: str, asked: dict[str, Any], region: str) -> dict[str, Any]:
    settings = {
        "securityGroupIds": [], "endpointPublicAccess": True, "endpointPrivateAccess": False, "publicAccessCidrs": ["0.0.0.0/0"],
    } | asked  # fmt: skip
    ec2 = ec2_backends[ACCOUNT][region]
    if asked.get("subnetIds"):
        settings["vpcId"] = ec2.describe_subnets(subnet_ids=asked["subnetIds"])[0].vpc_id
        group = ec2.create_security_group(
            f"eks-cluster-sg-{name}-{uuid.uuid4().int % 10**9}",
            "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes.",
            vpc_id=settings["vpcId"],
        )
        ec2.create_tags([group.id], {"aws:eks:cluster-name": name, f"kubernetes.io/cluster/{name}": "owned", "Name": group.name})
        settings["clusterSecurityGroupId"] = group.id
    return settings


# -- operations moto does not have ------------------------------------------------------------------
def _cluster(region: str, name: str) -> Any:
    return eks_backends[ACCOUNT][region].describe_cluster(name)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _entry(cluster: Any, asked: dict[str, Any], region: str) -> dict[str, Any]:
    principal, now = asked["principalArn"], _now()
    kind, owner = principal.split(":")[5].split("/")[0], principal.rsplit("/", 1)[-1]
    arn = f"arn:aws:eks:{region}:{ACCOUNT}:access-entry/{cluster.name}/{kind}/{ACCOUNT}/{owner}/{uuid.uuid4()}"
    entry: dict[str, Any] = {
        "clusterName": cluster.name, "principalArn": principal, "kubernetesGroups": asked.get("kubernetesGroups") or [],
        "accessEntryArn": arn, "createdAt": now, "modifiedAt": now, "tags": asked.get("tags") or {},
        "username": asked.get("username") or principal, "type": asked.get("type") or "STANDARD",
    }  # fmt: skip
    made = cluster.access_entries[principal] = {"entry": entry, "policies": {}}
    return made


def _associate(held: dict[str, Any], policy: str, scope: dict[str, Any]) -> dict[str, Any]:
    scope, now = {"type": scope.get("type", "cluster"), "namespaces": scope.get("namespaces") or []}, _now()
    made = held["policies"][policy] = {"policyArn": _POLICY + policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}
    return made


def access_entries(region: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> Reply:
    """``/clusters/NAME/access-entries[/PRINCIPAL]``."""
    cluster = _cluster(region, path[0])
    if len(path) == 1:
        if method == "GET":
            return reply({"accessEntries": list(cluster.access_entries)})
        if body["principalArn"] in cluster.access_entries:
            raise ResourceInUseException(message="The specified access entry resource is already in use on this cluster.")
        if cluster.access_config["authenticationMode"] == "CONFIG_MAP":
            raise InvalidParameterException(message="The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP].")
        return reply({"accessEntry": _entry(cluster, body, region)["entry"]})
    held = cluster.access_entries.get(path[1])
    if held is None:
        raise ResourceNotFoundException(message=f"The specified principalArn could not be found: {path[1]}")
    if method == "DELETE":
        del cluster.access_entries[path[1]]
        return reply({})
    if method == "POST":
        held["entry"] |= {key: body[key] for key in ("kubernetesGroups", "username") if key in body} | {"modifiedAt": _now()}
    return reply({"accessEntry": held["entry"]})


def access_policies(region: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> Reply:
    """``/clusters/NAME/access-entries/PRINCIPAL/access-policies[/POLICY]``."""
    cluster = _cluster(region, path[0])
    held = cluster.access_entries.get(path[1])
    if held is None:
        raise ResourceNotFoundException(message=f"The specified principalArn could not be found: {path[1]}")
    if method == "GET":
        return reply({"clusterName": path[0], "principalArn": path[1], "associatedAccessPolicies": list(held["policies"].values())})
    if method == "DELETE":
        if held["policies"].pop(path[2].rsplit("/", 1)[-1], None) is None:
            raise ResourceNotFoundException(message="The specified policyArn is not associated with this access entry.")
        return reply({})
    if not body["policyArn"].startswith(_POLICY):
        raise InvalidParameterException(message="The policyArn parameter format is not valid")
    made = _associate(held, body["policyArn"].rsplit("/", 1)[-1], body.get("accessScope") or {})
    return reply({"clusterName": path[0], "principalArn": path[1], "associatedAccessPolicy": made})


def updates(region: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> Reply:
    """``/clusters/NAME/updates[/ID]`` and ``/clusters/NAME/update-config``: applied at once."""
    cluster = _cluster(region, path[0])
    if method == "GET":
        if len(path) == 1:
            return reply({"updateIds": list(cluster.updates)})
        if path[1] not in cluster.updates:
            raise ResourceNotFoundException(message=f"No update found for ID: {path[1]}")
        return reply({"update": cluster.updates[path[1]]})
    kind = "VersionUpdate"
    if "version" in body:
        eks_versions.check_update(cluster.version, body["version"])
        cluster.version = body["version"]
    _check_networks(body.get("resourcesVpcConfig"))
    if body.get("deletionProtection") is not None:
        cluster.deletion_protection = bool(body["deletionProtection"])
        kind = "DeletionProtectionUpdate"
    for key, (attribute, changed) in _UPDATED.items():
        if body.get(key):
            setattr(cluster, attribute, (getattr(cluster, attribute) or {}) | body[key])
            kind = changed
    number = str(uuid.uuid4())
    cluster.updates[number] = {
        "id": number, "status": "Successful", "type": kind, "params": [], "createdAt": _now(), "errors": [],
    }  # fmt: skip
    return reply({"update": cluster.updates[number]})


def addons(region: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> Reply:
    """``/clusters/NAME/addons`` and ``pod-identity-associations``: there are none in the sandbox."""
    _cluster(region, path[0])
    if method == "GET" and len(path) == 1:
        return reply({"addons": [], "associations": []})
    raise ResourceNotFoundException(message="No such resource in this cluster.")


ROUTES = (
    (re.compile(r"/cluster-versions$"), eks_versions.cluster_versions),
    (re.compile(r"/clusters/([^/]+)/access-entries/([^/]+)/access-policies(?:/(.+))?$"), access_policies),
    (re.compile(r"/clusters/([^/]+)/access-entries(?:/([^/]+))?$"), access_entries),
    (re.compile(r"/clusters/([^/]+)/update-config$"), updates),
    (re.compile(r"/clusters/([^/]+)/updates(?:/([^/]+))?$"), updates),
    (re.compile(r"/clusters/([^/]+)/(?:addons|pod-identity-associations)(?:/([^/]+))?$"), addons),
)
"""Matched against the path as it was sent, still quoted: a principal's ARN has slashes of its own."""
