"""Which IAM actions this product needs in AWS, for ``up``, everyday commands and ``down``: the one list of them.

It follows from what the four Terraform roots and the product's own requests ask for (tests compare it with what was really asked),
and from what AWS demands in addition when something is made with tags, with a role or with a service's own role
(Service Authorization Reference).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from genai_platform.config.target import Target


@dataclass(frozen=True)
class Need:
    """Actions on one kind of resource."""

    area: str
    """What they are for, for people: network, cluster, IAM roles, …"""
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    """As a policy names them."""
    sample: str = "*"
    """One resource that a simulation judges them on."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys that AWS sends along with such a request, with their values."""


def needs(target: Target, account: str, partition: str = "aws") -> list[Need]:
    """What a target needs in an account."""
    return list(_needs(target, _Arns(partition, target.settings.platform.region, account)))


def policy(wanted: Iterable[Need]) -> dict[str, Any]:
    """A policy document that allows these needs and nothing else."""
    merged: dict[tuple[str, ...], set[str]] = {}
    for need in wanted:
        merged.setdefault(need.resources, set()).update(need.actions)
    statements = [
        {"Effect": "Allow", "Action": sorted(actions), "Resource": resources[0] if len(resources) == 1 else list(resources)}
        for resources, actions in merged.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def bucket_names(target: Target, account: str) -> tuple[str, ...]:
    """The buckets that a target makes, named in all of AWS: as ``terraform/storage`` and ``terraform.backend`` form their names.

    A state bucket that the configuration names is among them.
    """
    suffix = hashlib.sha256(f"{account}/{target.settings.platform.region}".encode()).hexdigest()[:6]
    names = tuple(f"{target.prefix}-{use}-{suffix}" for use in ("langfuse", "clickhouse"))
    terraform = target.settings.terraform
    return names if terraform.backend != "s3" else (*names, terraform.bucket or f"{target.prefix}-state-{account}")


@dataclass(frozen=True)
class _Arns:
    partition: str
    region: str
    account: str

    def __call__(self, service: str, name: str) -> str:
        region = "" if service in ("iam", "s3") else self.region
        account = "" if service == "s3" else self.account
        return f"arn:{self.partition}:{service}:{region}:{account}:{name}"


_LOOKS: dict[str, tuple[str, str]] = {
    "ec2": (
        "network",
        "DescribeAddresses DescribeAddressesAttribute DescribeAvailabilityZones DescribeInstances DescribeInternetGateways "
        "DescribeLaunchTemplates DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables "
        "DescribeSecurityGroupRules DescribeSecurityGroups DescribeSnapshots DescribeSubnets DescribeTags DescribeVolumes "
        "DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs",
    ),
    "eks": ("cluster", "DescribeClusterVersions"),
    "elasticloadbalancing": ("load balancer", "DescribeLoadBalancers DescribeTags DescribeTargetGroups"),
    "rds": (
        "database",
        "DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeDBClusterSnapshots DescribeDBClusters "
        "DescribeDBEngineVersions DescribeDBInstances DescribeDBSnapshots DescribeDBSubnetGroups DescribeGlobalClusters "
        "ListTagsForResource",
    ),
    "elasticache": (
        "cache",
        "DescribeCacheClusters DescribeCacheParameterGroups DescribeCacheParameters DescribeCacheSubnetGroups DescribeReplicationGroups "
        "DescribeSnapshots ListTagsForResource",
    ),
    "secretsmanager": ("secrets", "ListSecrets"),
    "s3": ("buckets", "ListAllMyBuckets"),
    "iam": ("IAM roles", "ListInstanceProfiles ListOpenIDConnectProviders ListPolicies ListRoles"),
    "acm": ("certificate", "ListCertificates"),
    "logs": ("audit", "DescribeLogGroups"),
    "tag": ("audit", "GetResources"),
    "kms": ("audit", "DescribeKey"),
    "servicequotas": ("doctor", "GetServiceQuota"),
}
"""Actions that no single resource can be named for: the area and the actions of each service."""

_EC2: dict[str, str] = {
    "vpc": "CreateVpc DeleteVpc ModifyVpcAttribute",
    "subnet": "CreateSubnet DeleteSubnet",
    "internet-gateway": "CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway",
    "elastic-ip": "AllocateAddress DisassociateAddress ReleaseAddress",
    "natgateway": "CreateNatGateway DeleteNatGateway",
    "route-table": "CreateRouteTable CreateRoute AssociateRouteTable DisassociateRouteTable DeleteRoute DeleteRouteTable",
    "vpc-endpoint": "CreateVpcEndpoint DeleteVpcEndpoints ModifyVpcEndpoint",
    "security-group": "CreateSecurityGroup AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress RevokeSecurityGroupIngress "
    "DeleteSecurityGroup CreateTags DeleteTags",
    "volume": "DeleteVolume",
}
"""What changes the network, by the kind of resource that it is about; a policy cannot name those that do not exist yet."""

_BUCKET = (
    "CreateBucket DeleteBucket DeleteBucketPolicy GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLogging "
    "GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment "
    "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration "
    "GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions PutBucketOwnershipControls PutBucketPolicy "
    "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration"
)
_OBJECT = "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject PutObject"
_SECRET = "CreateSecret DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue PutSecretValue TagResource UntagResource UpdateSecret"  # noqa: S105 - names of actions
_ROLE = (
    "AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies "
    "ListInstanceProfilesForRole ListRolePolicies ListRoleTags PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy"
)
_PROVIDER = "CreateOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider TagOpenIDConnectProvider"
_PROFILE = "DeleteInstanceProfile GetInstanceProfile RemoveRoleFromInstanceProfile"
_CLUSTER = (
    "AssociateAccessPolicy CreateAccessEntry CreateCluster DeleteCluster DescribeCluster DescribeUpdate ListAccessEntries TagResource "
    "UntagResource UpdateClusterConfig UpdateClusterVersion"
)
_ENTRY = "DeleteAccessEntry DescribeAccessEntry DisassociateAccessPolicy ListAssociatedAccessPolicies"
_RDS: dict[str, str] = {
    "cluster:{}": "CreateDBCluster DeleteDBCluster ModifyDBCluster RestoreDBClusterFromSnapshot StartDBCluster AddTagsToResource "
    "RemoveTagsFromResource",
    "db:{}-1": "CreateDBInstance DeleteDBInstance ModifyDBInstance AddTagsToResource",
    "subgrp:{}": "CreateDBSubnetGroup DeleteDBSubnetGroup ModifyDBSubnetGroup AddTagsToResource",
    "cluster-pg:{}": "CreateDBClusterParameterGroup DeleteDBClusterParameterGroup ModifyDBClusterParameterGroup AddTagsToResource",
    "cluster-snapshot:{}*": "CreateDBClusterSnapshot DeleteDBClusterSnapshot AddTagsToResource",
}
_CACHE: dict[str, str] = {
    "replicationgroup:{}": "CreateReplicationGroup DeleteReplicationGroup ModifyReplicationGroup AddTagsToResource RemoveTagsFromResource",
    "subnetgroup:{}": "CreateCacheSubnetGroup DeleteCacheSubnetGroup ModifyCacheSubnetGroup AddTagsToResource",
    "parametergroup:{}-redis7": "CreateCacheParameterGroup DeleteCacheParameterGroup ModifyCacheParameterGroup AddTagsToResource",
}
_CERTIFICATE = "AddTagsToCertificate DeleteCertificate DescribeCertificate ListTagsForCertificate"
_BEDROCK = "GetFoundationModel GetInferenceProfile ListInferenceProfiles"
SERVICE_ROLES = {
    "eks.amazonaws.com": "AWSServiceRoleForAmazonEKS",
    "rds.amazonaws.com": "AWSServiceRoleForRDS",
    "elasticache.amazonaws.com": "AWSServiceRoleForElastiCache",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
}
"""Roles that services make for themselves in an account, once: it takes the right of who uses them first."""


def _named(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


def _needs(target: Target, arn: _Arns) -> Iterator[Need]:
    prefix, settings = target.prefix, target.settings
    here = {"aws:RequestedRegion": arn.region}
    for service, (area, names) in _LOOKS.items():
        yield Need(area, _named(service, names), context=here)
    for kind, names in _EC2.items():
        yield Need("network", _named("ec2", names), sample=arn("ec2", f"{kind}/x"), context=here)
    yield _on("buckets", _named("s3", _BUCKET), *(arn("s3", name) for name in bucket_names(target, arn.account)))
    yield _on("buckets", _named("s3", _OBJECT), *(arn("s3", f"{name}/*") for name in bucket_names(target, arn.account)))
    yield _on("secrets", _named("secretsmanager", _SECRET), arn("secretsmanager", f"secret:{prefix}/*"))
    yield _on("cluster", _named("eks", _CLUSTER), arn("eks", f"cluster/{prefix}"))
    yield _on("cluster", _named("eks", _ENTRY), arn("eks", f"access-entry/{prefix}/*"))
    for name, names in _RDS.items():
        yield _on("database", _named("rds", names), arn("rds", name.format(prefix)))
    for name, names in _CACHE.items():
        yield _on("cache", _named("elasticache", names), arn("elasticache", name.format(prefix)))
    yield _on("certificate", _named("acm", _CERTIFICATE), arn("acm", "certificate/*"))
    if settings.ingress.tls != "none":
        yield Need("certificate", ("acm:RequestCertificate",) if settings.ingress.domain else ("acm:ImportCertificate",), context=here)
    if settings.ingress.domain:
        zone = (f"arn:{arn.partition}:route53:::hostedzone/*",)
        yield Need("domain", ("route53:ListHostedZones",))
        yield _on("domain", ("route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"), *zone)
    yield _on("IAM roles", _named("iam", _ROLE), arn("iam", f"role/{prefix}-*"))
    for region in sorted({model.region for model in settings.litellm.bedrock}):
        yield Need("models", _named("bedrock", _BEDROCK), context={"aws:RequestedRegion": region})
    passed = {"iam:PassedToService": "eks.amazonaws.com"}
    yield _on("IAM roles", ("iam:PassRole",), arn("iam", f"role/{prefix}-*"), context=passed)
    yield _on("IAM roles", _named("iam", _PROVIDER), arn("iam", "oidc-provider/*"))
    yield _on("IAM roles", ("iam:ListPolicyTags",), arn("iam", f"policy/{prefix}*"), arn("iam", "policy/eks*"))
    yield _on("IAM roles", _named("iam", _PROFILE), arn("iam", "instance-profile/eks*"))
    for service, name in SERVICE_ROLES.items():
        role = arn("iam", f"role/aws-service-role/{service}/{name}")
        yield _on("IAM roles", ("iam:CreateServiceLinkedRole",), role, context={"iam:AWSServiceName": service})
    yield Need("doctor", ("iam:GetRole", "iam:SimulatePrincipalPolicy"), (arn("iam", "user/*"), arn("iam", "role/*")), arn("iam", "role/x"))


def _on(area: str, actions: tuple[str, ...], *resources: str, context: Mapping[str, str] | None = None) -> Need:
    return Need(area, actions, resources, resources[0].replace("*", "x"), context or {})
