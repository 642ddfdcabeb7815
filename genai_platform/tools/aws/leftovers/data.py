"""Finders for what keeps data: databases, caches, buckets and secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import unless_absent
from genai_platform.tools.aws.leftovers.items import GIGABYTE, SECRET, USD, Item, Listing, Scope, pages

_DATABASES = (
    Listing("rds:instance", "describe_db_instances", "DBInstances", "DBInstanceIdentifier",
            "rds delete-db-instance --skip-final-snapshot --db-instance-identifier", USD["aurora"]),
    Listing("rds:cluster", "describe_db_clusters", "DBClusters", "DBClusterIdentifier",
            "rds delete-db-cluster --skip-final-snapshot --db-cluster-identifier"),
    Listing("rds:cluster-snapshot", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier",
            "rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier"),
    Listing("rds:snapshot", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier",
            "rds delete-db-snapshot --db-snapshot-identifier"),
    Listing("rds:subnet-group", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName",
            "rds delete-db-subnet-group --db-subnet-group-name"),
    Listing("rds:parameter-group", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName",
            "rds delete-db-cluster-parameter-group --db-cluster-parameter-group-name"),
)  # fmt: skip
_STORED = {"rds:cluster-snapshot": GIGABYTE["aurora-snapshot"], "rds:snapshot": GIGABYTE["database-snapshot"]}


def databases(aws: Aws, scope: Scope) -> Iterator[Item]:
    for listing in _DATABASES:
        for entry in pages(aws, "rds", listing.operation, listing.entries):
            by = scope.by(_tags(aws, listing, entry), name=entry[listing.key])
            automatic = entry.get("SnapshotType") == "automated"  # goes with its cluster, and only so
            if by and not automatic and entry.get("Status", entry.get("DBInstanceStatus")) != "deleting":
                yield listing.item(scope, entry, by, entry.get("AllocatedStorage", 0) * _STORED.get(listing.kind, 0.0))


def _tags(aws: Aws, listing: Listing, entry: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    """Groups are listed without their tags, so those are asked for."""
    name = str(entry[listing.key])
    if "TagList" in entry or name.startswith("default"):
        return list(entry.get("TagList", ()))
    arn = entry[listing.key.removesuffix("Name").removesuffix("Identifier") + "Arn"]
    answer = unless_absent(aws.client("rds").list_tags_for_resource, ResourceName=arn)
    return list(answer["TagList"]) if answer else ()


_CACHES = (
    Listing("elasticache:replication-group", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId",
            "elasticache delete-replication-group --replication-group-id", USD["redis"]),
    Listing("elasticache:cluster", "describe_cache_clusters", "CacheClusters", "CacheClusterId",
            "elasticache delete-cache-cluster --cache-cluster-id", USD["redis"]),
    Listing("elasticache:snapshot", "describe_snapshots", "Snapshots", "SnapshotName", "elasticache delete-snapshot --snapshot-name"),
    Listing("elasticache:subnet-group", "describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName",
            "elasticache delete-cache-subnet-group --cache-subnet-group-name"),
    Listing("elasticache:parameter-group", "describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName",
            "elasticache delete-cache-parameter-group --cache-parameter-group-name"),
)  # fmt: skip


def caches(aws: Aws, scope: Scope) -> Iterator[Item]:
    for listing in _CACHES:
        for entry in pages(aws, "elasticache", listing.operation, listing.entries):
            by = scope.by(None, name=entry[listing.key], arn=entry.get("ARN", ""))
            # The nodes of a replication group go with it.
            member = listing.kind == "elasticache:cluster" and "ReplicationGroupId" in entry
            status = entry.get("Status", entry.get("CacheClusterStatus", entry.get("SnapshotStatus")))
            if by and not member and status != "deleting":
                yield listing.item(scope, entry, by)


def buckets(aws: Aws, scope: Scope) -> Iterator[Item]:
    for entry in pages(aws, "s3", "list_buckets", "Buckets"):
        name = entry["Name"]
        by = scope.by(None, name=name, arn=f"arn:{aws.partition}:s3:::{name}")
        # A bucket that was just deleted may still be listed.
        if by and aws_buckets.exists(aws, name):
            yield Item("s3:bucket", name, 0, _removal(aws, scope, name), by)


def _removal(aws: Aws, scope: Scope, name: str) -> str:
    """``s3 rb --force`` leaves earlier versions, and then the bucket."""
    if not aws.client("s3").get_bucket_versioning(Bucket=name).get("Status"):
        return scope.command(f"s3 rb --force s3://{name}")
    listing = scope.command(f"s3api list-object-versions --bucket {name} --output text")
    listing += " --query '[Versions,DeleteMarkers][][].[Key,VersionId]'"
    delete = scope.command(f's3api delete-object --bucket {name} --key "$key" --version-id "$version"')
    loop = f"""while IFS="$(printf '\\t')" read -r key version; do {delete}; done"""
    return f"{listing} | {loop}; {scope.command(f's3 rb s3://{name}')}"


def secrets(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("secretsmanager")
    for entry in pages(aws, "secretsmanager", "list_secrets", "SecretList"):
        by = scope.by(entry.get("Tags"), name=entry["Name"])
        # The listing is up to five minutes late; a description is not (Secrets Manager API, ListSecrets).
        seen = unless_absent(client.describe_secret, SecretId=entry["ARN"]) if by else None
        if by and seen and "DeletedDate" not in seen:
            remove = scope.command(f"secretsmanager delete-secret --force-delete-without-recovery --secret-id {entry['Name']}")
            yield Item("secretsmanager:secret", entry["Name"], SECRET, remove, by, frozenset({entry["ARN"]}))
