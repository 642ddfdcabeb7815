"""Adopts resources that exist in AWS but not in Terraform's state: an earlier run was killed between the call and the state write.

Terraform then fails with "already exists" at the next run. Things whose import identifier is the name in that message are
taken into the state, when their tags say that they are ours (identifiers: "Import" in the documentation of each resource of
hashicorp/aws 5.100).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent

_BY_NAME = frozenset(
    {
        "aws_db_subnet_group", "aws_eks_cluster", "aws_elasticache_parameter_group", "aws_elasticache_replication_group",
        "aws_elasticache_subnet_group", "aws_iam_role", "aws_rds_cluster", "aws_rds_cluster_instance",
        "aws_rds_cluster_parameter_group", "aws_s3_bucket",
    }
)  # fmt: skip
# What AWS never answers, so an import leaves it empty, with the provider's default. Empty, every later change of the group
# would also send "rotate to no token", which ElastiCache refuses.
_UNANSWERED = {"aws_elasticache_replication_group": {"auth_token_update_strategy": "ROTATE"}}


class _Status(NamedTuple):
    """How a thing that takes minutes is asked for its state: an operation, its argument, where the answer has it."""

    service: str
    operation: str
    argument: str
    find: Callable[[Any], str]


_STATUS = {
    "aws_eks_cluster": _Status("eks", "describe_cluster", "name", lambda said: said["cluster"]["status"]),
    "aws_rds_cluster": _Status("rds", "describe_db_clusters", "DBClusterIdentifier", lambda said: said["DBClusters"][0]["Status"]),
    "aws_rds_cluster_instance": _Status(
        "rds", "describe_db_instances", "DBInstanceIdentifier", lambda said: said["DBInstances"][0]["DBInstanceStatus"]
    ),
    "aws_elasticache_replication_group": _Status(
        "elasticache", "describe_replication_groups", "ReplicationGroupId", lambda said: said["ReplicationGroups"][0]["Status"]
    ),
}
_UNDER_WAY = re.compile(r"creating|pending|updating|modifying|deleting|rebooting|configuring|backing-up|upgrading", re.IGNORECASE)
_TAKEN = re.compile(r"already ?exists|BucketAlreadyOwnedByYou", re.IGNORECASE)
# "creating RDS Cluster (genai) Instance (genai-1): …", "creating RDS Cluster (restore from snapshot) (genai): …":
# the last of them is its own name.
_NAME = re.compile(r"creating [^:]*\(([^():]+)\): ")


@dataclass(frozen=True)
class Orphan:
    """An address of the configuration, and what is used in its place."""

    address: str
    id: str


def orphans(errors: Iterable[Mapping[str, Any]]) -> list[Orphan]:
    """The orphans that these diagnostics of ``terraform apply -json`` speak of."""
    found = []
    for error in errors:
        text = f"{error.get('summary', '')} {error.get('detail', '')}"
        address, name = str(error.get("address") or ""), _NAME.search(text)
        if name and _TAKEN.search(text) and address.split(".")[0] in _BY_NAME:
            found.append(Orphan(address, name[1]))
    return found


def settled(aws: Aws, orphan: Orphan) -> Literal["there", "gone"] | None:
    """Whether it can be taken over: imported while it is being made, what depends on it would be refused.

    Returns:
        None while AWS is still at work on it.

    Raises:
        GenaiError: it cannot be seen.
    """
    kind = orphan.address.partition(".")[0]
    if kind == "aws_s3_bucket":
        # The name may be somebody else's, in any account: looking at it is refused then.
        return "there" if aws_buckets.exists(aws, orphan.id) else "gone"
    asked = _STATUS.get(kind)
    if asked is None:
        return "there"
    with explained(f"look at {orphan.address}"):
        answer = unless_absent(getattr(aws.client(asked.service), asked.operation), **{asked.argument: orphan.id})
    if answer is None:
        return "gone"
    return None if _UNDER_WAY.match(asked.find(answer)) else "there"


def incomplete(orphan: Orphan) -> bool:
    """Whether an import leaves arguments empty that ``completed`` fills in."""
    return orphan.address.partition(".")[0] in _UNANSWERED


def completed(state: Mapping[str, Any], address: str) -> dict[str, Any] | None:
    """The next version of a state (format 4) in which an imported resource also has what AWS does not answer.

    Args:
        state: the document as Terraform wrote it; left as it is.
        address: of a resource without ``count`` or ``for_each``.

    Returns:
        None when nothing is missing.
    """
    kind, _, name = address.partition(".")
    new, missing = copy.deepcopy(dict(state)), False
    for resource in new.get("resources", []):
        if (resource.get("type"), resource.get("name")) != (kind, name):
            continue
        for instance in resource["instances"]:
            for argument, default in _UNANSWERED.get(kind, {}).items():
                if instance["attributes"].get(argument) is None:
                    instance["attributes"][argument] = default
                    missing = True
    return {**new, "serial": new["serial"] + 1} if missing else None
