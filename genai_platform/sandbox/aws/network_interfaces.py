"""What databases, caches and clusters occupy of a network: AWS puts interfaces of theirs there, which moto does not."""

from __future__ import annotations

from collections.abc import Iterator

from moto.eks.models import eks_backends
from moto.elasticache.models import elasticache_backends
from moto.rds.models import rds_backends

from genai_platform.sandbox.aws.identity import ACCOUNT


def subnets(region: str) -> set[str]:
    """The subnets that hold something."""
    return {subnet for used, _ in _users(region) for subnet in used}


def security_groups(region: str) -> set[str]:
    """The security groups that guard something."""
    return {group for _, used in _users(region) for group in used}


def _users(region: str) -> Iterator[tuple[list[str], list[str]]]:
    """Subnets and security groups of each."""
    rds, cache, eks = rds_backends[ACCOUNT][region], elasticache_backends[ACCOUNT][region], eks_backends[ACCOUNT][region]
    for cluster in rds.clusters.values():
        placed = rds.subnet_groups.get(cluster.db_subnet_group_name)
        yield [subnet.id for subnet in placed._subnets] if placed else [], list(cluster.vpc_security_group_ids)
    for group in cache.replication_groups.values():
        placed = cache.cache_subnet_groups.get(group.cache_subnet_group_name)
        yield list(placed.subnet_ids if placed else []), list(group.security_group_ids or [])
    for cluster in eks.clusters.values():
        network = cluster.resources_vpc_config
        own = [network["clusterSecurityGroupId"]] if network.get("clusterSecurityGroupId") else []
        yield list(network.get("subnetIds") or []), [*(network.get("securityGroupIds") or []), *own]
