"""What exists in AWS of a Terraform root: recognised by this environment's tags, with the address and import identifier of each.

A state may be lost, empty, on another machine, or behind (a run was killed between AWS's answer and the state). What is
listed here would be made a second time then. Names and their addresses follow ``terraform/``; import identifiers are those
of "Import" in the documentation of each resource of hashicorp/aws 5.100.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent
from genai_platform.tools.aws.leftovers import items, search
from genai_platform.tools.aws.leftovers.finders import FINDERS
from genai_platform.tools.aws.leftovers.items import Item, Scope, pages
from genai_platform.tools.aws.tags import listed
from genai_platform.tools.terraform.adoption import Orphan


@dataclass(frozen=True)
class Inventory:
    """What exists of one root.

    Attributes:
        things: each with its address, in the order in which they can be imported.
        doubtful: addresses for which more than one thing exists, with the identifiers.
    """

    things: tuple[Orphan, ...]
    doubtful: Mapping[str, tuple[str, ...]]

    def without(self, addresses: Iterable[str]) -> Inventory:
        """The inventory less what a state knows."""
        known = frozenset(addresses)
        return Inventory(
            tuple(thing for thing in self.things if thing.address not in known),
            {address: ids for address, ids in self.doubtful.items() if address not in known},
        )

    def __bool__(self) -> bool:
        return bool(self.things or self.doubtful)


def look(aws: Aws, root: str) -> Inventory:
    """Look for what exists of a root (``network``, ``storage``, ``cluster`` or ``data``) in this account and region.

    Raises:
        GenaiError: something could not be listed; never taken for "there is none".
    """
    with explained(f"look for what exists of terraform root '{root}'"):
        scope = search.scope(aws)
        scope = replace(scope, tagged=items.tagged(aws, scope.tags))
        found: defaultdict[str, list[str]] = defaultdict(list)
        for address, id in _ROOTS[root](aws, scope):
            if id not in found[address]:
                found[address].append(id)
    return Inventory(
        tuple(Orphan(address, ids[0]) for address, ids in found.items() if len(ids) == 1),
        {address: tuple(ids) for address, ids in found.items() if len(ids) > 1},
    )


def recognised(root: str, addresses: Iterable[str]) -> frozenset[str]:
    """Those of the addresses for which ``look`` has an eye: were they there, it would list them."""
    kinds = {address.partition(".")[0] for _, _, address in _NAMED[root]} | _FOUND_THROUGH_OTHERS[root]
    return frozenset(address for address in addresses if address.partition(".")[0] in kinds)


Found = Iterator[tuple[str, str]]
_Names = tuple[tuple[str, str, str], ...]
"""The kind of a thing, the pattern of its name behind the prefix, and its address, in which ``{}`` is the pattern's group."""

_NETWORK: _Names = (
    ("ec2:vpc", "", "aws_vpc.this"),
    ("ec2:internet-gateway", "", "aws_internet_gateway.this"),
    ("ec2:subnet", "-public-(.+)", 'aws_subnet.public["{}"]'),
    ("ec2:subnet", "-private-(.+)", 'aws_subnet.private["{}"]'),
    ("ec2:elastic-ip", "-nat-(.+)", 'aws_eip.nat["{}"]'),
    ("ec2:nat-gateway", "-(.+)", 'aws_nat_gateway.this["{}"]'),
    ("ec2:route-table", "-public", "aws_route_table.public"),
    ("ec2:route-table", "-private-(.+)", 'aws_route_table.private["{}"]'),
    ("ec2:vpc-endpoint", "-s3", "aws_vpc_endpoint.s3"),
)
_STORAGE: _Names = (
    ("s3:bucket", "-(langfuse|clickhouse)-[0-9a-f]{6}", 'aws_s3_bucket.this["{}"]'),
    ("secretsmanager:secret", "/platform", "aws_secretsmanager_secret.platform"),
)
_CLUSTER: _Names = (
    ("iam:role", "-cluster", "aws_iam_role.cluster"),
    ("iam:role", "-node", "aws_iam_role.node"),
    ("iam:role", "-(litellm|langfuse|clickhouse)", 'aws_iam_role.application["{}"]'),
)
_DATA: _Names = (
    ("ec2:security-group", "-(postgres|redis)", 'aws_security_group.this["{}"]'),
    ("rds:subnet-group", "", "aws_db_subnet_group.this"),
    ("rds:parameter-group", "", "aws_rds_cluster_parameter_group.this"),
    ("rds:cluster", "", "aws_rds_cluster.this"),
    ("rds:instance", "-1", "aws_rds_cluster_instance.this"),
    ("elasticache:subnet-group", "", "aws_elasticache_subnet_group.this"),
    ("elasticache:parameter-group", "-redis7", "aws_elasticache_parameter_group.this"),
    ("elasticache:replication-group", "", "aws_elasticache_replication_group.this"),
)
_NAMED = {"network": _NETWORK, "storage": _STORAGE, "cluster": _CLUSTER, "data": _DATA}
_FOUND_THROUGH_OTHERS = {
    "network": {"aws_route", "aws_route_table_association"},
    "storage": set[str](),
    "cluster": {"aws_eks_cluster", "aws_iam_openid_connect_provider", "aws_iam_role_policy_attachment", "aws_iam_role_policy"},
    "data": set[str](),
}
"""Kinds that are found by what they belong to, not by a name and this environment's tags."""


def _network(aws: Aws, scope: Scope) -> Found:
    tables: dict[str, str] = {}
    for address, item in _placed(aws, scope, _NETWORK, "networks", "addresses", "nat gateways", "parts of networks"):
        if item.kind == "ec2:route-table":
            tables[item.id] = address
        yield address, item.id
    if not tables:
        return
    for entry in pages(aws, "ec2", "describe_route_tables", "RouteTables", RouteTableIds=sorted(tables)):
        name, address = entry["RouteTableId"], tables[entry["RouteTableId"]]
        zone = address.removeprefix("aws_route_table.private")  # empty, or ["ap-northeast-1a"]
        if any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in entry["Routes"]):
            yield ("aws_route.internet" if address.endswith(".public") else f"aws_route.nat{zone}"), f"{name}_0.0.0.0/0"
        for link in entry["Associations"]:
            if subnet := link.get("SubnetId"):
                index = zone if zone != address else f'["{_zone(aws, subnet)}"]'
                yield f"aws_route_table_association.{'public' if zone == address else 'private'}{index}", f"{subnet}/{name}"


def _zone(aws: Aws, subnet: str) -> str:
    answer = aws.client("ec2").describe_subnets(SubnetIds=[subnet])
    return str(answer["Subnets"][0]["AvailabilityZone"])


def _storage(aws: Aws, scope: Scope) -> Found:
    for address, item in _placed(aws, scope, _STORAGE, "buckets", "secrets"):
        yield address, next((alias for alias in item.aliases if alias.startswith("arn:")), item.id)


def _cluster(aws: Aws, scope: Scope) -> Found:
    name = scope.prefix
    # The cluster comes first: what belongs to it is imported with the address of its issuer.
    cluster = aws.describe_cluster(name)
    cluster_exists = cluster is not None and cluster.get("status") != "DELETING" and scope.by(listed(cluster.get("tags") or {})) == "tag"
    if cluster_exists:
        yield "aws_eks_cluster.this", name
    iam = aws.client("iam")
    for address, item in _placed(aws, scope, _CLUSTER, "roles"):
        yield address, item.id
        kind = address.removeprefix("aws_iam_role.")
        attached = unless_absent(
            lambda role=item.id: list(pages(aws, "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role))
        )
        for policy in attached or ():
            if kind in ("cluster", "node"):
                short = policy["PolicyArn"].rpartition("/")[2]
                yield f'aws_iam_role_policy_attachment.{kind}["{short}"]', f"{item.id}/{policy['PolicyArn']}"
        for policy in (unless_absent(iam.list_role_policies, RoleName=item.id) or {}).get("PolicyNames", ()):
            if kind.startswith("application") and policy == "bucket":
                yield f"aws_iam_role_policy.bucket{kind.removeprefix('application')}", f"{item.id}:{policy}"
            elif kind == 'application["litellm"]' and policy == "bedrock":
                yield "aws_iam_role_policy.litellm[0]", f"{item.id}:{policy}"
    for item in FINDERS["identity providers"](aws, scope):
        if item.by == "tag":
            yield "aws_iam_openid_connect_provider.this", item.id
    if cluster_exists:
        eks = aws.client("eks")
        for principal in pages(aws, "eks", "list_access_entries", "accessEntries", clusterName=name):
            entry = unless_absent(eks.describe_access_entry, clusterName=name, principalArn=principal)
            if entry and scope.by(listed(entry["accessEntry"].get("tags") or {})) == "tag":
                yield f'aws_eks_access_entry.admin["{principal}"]', f"{name}:{principal}"


def _data(aws: Aws, scope: Scope) -> Found:
    for address, item in _placed(aws, scope, _DATA, "parts of networks", "databases", "caches"):
        yield address, item.id


_ROOTS: Mapping[str, Callable[[Aws, Scope], Found]] = {"network": _network, "storage": _storage, "cluster": _cluster, "data": _data}


def _placed(aws: Aws, scope: Scope, names: _Names, *finders: str) -> Iterator[tuple[str, Item]]:
    """What the finders see with this environment's tags and a name that the root gives, with its address there."""
    items = [item for finder in finders for item in FINDERS[finder](aws, scope) if item.by == "tag"]
    called = _name_tags(aws, [item.id for item in items if item.kind.startswith("ec2:")])
    # In the order of the names: what depends on another thing is imported after it.
    for kind, pattern, address in names:
        for item in items:
            name = called.get(item.id, "") if item.kind.startswith("ec2:") else item.id
            found = re.fullmatch(re.escape(scope.prefix) + pattern, name)
            if item.kind == kind and found:
                yield address.format(*found.groups()), item


def _name_tags(aws: Aws, ids: list[str]) -> dict[str, str]:
    """What EC2 calls things: their tag ``Name``, by identifier."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), 100):
        filters = [{"Name": "resource-id", "Values": ids[start : start + 100]}, {"Name": "key", "Values": ["Name"]}]
        found |= {tag["ResourceId"]: tag["Value"] for tag in pages(aws, "ec2", "describe_tags", "Tags", Filters=filters)}
    return found
