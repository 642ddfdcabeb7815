"""ElastiCache: member clusters, the token set later, deletion that ends; a real server behind the endpoint."""

from __future__ import annotations

import inspect
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.elasticache.exceptions import CacheClusterNotFound, ElastiCacheException, ReplicationGroupNotFound
from moto.elasticache.models import CacheCluster, ElastiCacheBackend, elasticache_backends
from moto.elasticache.responses import ElastiCacheResponse

from genai_platform.sandbox.aws import elasticache_parameters
from genai_platform.sandbox.aws.elasticache_parameters import groups
from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn

_VERSIONS = {"7": "7.1", "7.x": "7.1", "7.0": "7.0.7", "8": "8.0", "8.x": "8.0", "6.x": "6.2.6"}
_COMBINATION, _VALUE = "InvalidParameterCombinationException", "InvalidParameterValueException"
_COMPASS = {
    "north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
    "northeast": "ne", "southeast": "se", "northwest": "nw", "southwest": "sw",
}  # fmt: skip


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's ElastiCache."""
    create, subnets = ElastiCacheBackend.create_replication_group, ElastiCacheResponse.create_cache_subnet_group
    tagged, listed = ElastiCacheBackend.iter_tagged_resources, ElastiCacheBackend.list_tags_for_resource

    def create_replication_group(self: Any, **asked: Any) -> Any:
        wanted = asked.get("cache_parameter_group_name")
        if wanted and wanted not in groups(self):
            raise ElastiCacheException("CacheParameterGroupNotFoundFault", f"CacheParameterGroup {wanted} not found.")
        made = create(self, **asked)
        made.engine_version = _VERSIONS.get(made.engine_version or "7.1", made.engine_version or "7.1")
        made.cache_parameter_group_name = wanted or f"default.{made.engine}{made.engine_version.split('.')[0]}"
        made.token = asked.get("auth_token")
        if made.transit_encryption_enabled and not made.transit_encryption_mode:
            made.transit_encryption_mode = "required"
        made.auto_minor_version_upgrade = True if made.auto_minor_version_upgrade is None else made.auto_minor_version_upgrade
        made.snapshot_window = asked.get("snapshot_window") or "05:00-06:00"
        _rename(made, self.region_name)
        for group in made.node_groups:
            for member in group["node_group_members"]:
                member["preferred_availability_zone"] = f"{self.region_name}a"
        for member_id in made.member_clusters:
            _member(self, made, member_id)
        try:
            _up(stand_in, self, made)
        except Exception:
            del self.replication_groups[made.replication_group_id]
            for member_id in made.member_clusters:
                self.cache_clusters.pop(member_id, None)
            raise
        return made

    def modify_replication_group(self: Any) -> Any:
        backend, asked = self.elasticache_backend, self._get_params()
        group = backend.replication_groups.get(asked["ReplicationGroupId"])
        if group is None:
            raise ReplicationGroupNotFound(asked["ReplicationGroupId"])
        _modify(stand_in, backend, group, dict(asked))
        return ActionResult({"ReplicationGroup": group})

    def delete_replication_group(self: Any, replication_group_id: str, retain_primary_cluster: bool | None) -> Any:
        group = self.replication_groups.pop(replication_group_id, None)
        if group is None:
            raise ReplicationGroupNotFound(replication_group_id)
        for member in group.member_clusters:
            self.cache_clusters.pop(member, None)
        stand_in.engines.redis_down(replication_group_id)
        group.status = "deleting"
        return group

    def delete_cache_cluster(self: Any, cache_cluster_id: str) -> Any:
        cluster = self.cache_clusters.pop(cache_cluster_id, None)
        if cluster is None:
            raise CacheClusterNotFound(cache_cluster_id)
        cluster.cache_cluster_status = "deleting"
        return cluster

    def create_cache_subnet_group(self: Any) -> Any:
        result = subnets(self)
        made = result.result["CacheSubnetGroup"]
        made.arn = f"arn:aws:elasticache:{self.region}:{ACCOUNT}:subnetgroup:{made.cache_subnet_group_name}"
        return result

    def delete_cache_subnet_group(self: Any) -> Any:
        name = self._get_param("CacheSubnetGroupName")
        backend = self.elasticache_backend
        if name not in backend.cache_subnet_groups:
            raise ElastiCacheException("CacheSubnetGroupNotFoundFault", f"CacheSubnetGroup {name} not found.")
        if any(group.cache_subnet_group_name == name for group in backend.replication_groups.values()):
            raise ElastiCacheException("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster.")
        del backend.cache_subnet_groups[name]
        return EmptyResult()

    def list_tags_for_resource(self: Any, arn: str) -> Any:
        return self.tagging_service.list_tags_for_resource(arn) if ":parametergroup:" in arn else listed(self, arn)

    def iter_tagged_resources(self: Any) -> Any:
        yield from tagged(self)
        for group in groups(self).values():
            tags = self.tagging_service.get_tag_dict_for_resource(group.arn)
            if tags:
                yield TaggedResource(arn=group.arn, tags=tags, resource_type="elasticache:parametergroup")

    ElastiCacheBackend.create_replication_group = create_replication_group
    ElastiCacheBackend.delete_replication_group = delete_replication_group
    ElastiCacheBackend.delete_cache_cluster = delete_cache_cluster
    ElastiCacheBackend.iter_tagged_resources = iter_tagged_resources
    ElastiCacheBackend.list_tags_for_resource = list_tags_for_resource
    ElastiCacheResponse.modify_replication_group = modify_replication_group
    ElastiCacheResponse.create_cache_subnet_group = create_cache_subnet_group
    ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group
    elasticache_parameters.patch()


def resume(stand_in: AwsStandIn) -> None:
    """Start the servers of the groups that were read from saved state."""
    for backend in elasticache_backends[ACCOUNT].values():
        for group in backend.replication_groups.values():
            _up(stand_in, backend, group)


# -- replication groups -----------------------------------------------------------------------------
def _up(stand_in: AwsStandIn, backend: Any, group: Any) -> None:
    held = groups(backend).get(group.cache_parameter_group_name)
    host = group.node_groups[0]["primary_endpoint_address"]
    stand_in.engines.redis_up(
        group.replication_group_id, host, group.port, group.token, bool(group.transit_encryption_enabled),
        elasticache_parameters.defaults() | (held.values if held else {}),
    )  # fmt: skip


def _rename(made: Any, region: str) -> None:
    """moto puts every group in us-east-1; its host names carry the region's short form, as in ``apne1``."""
    area, direction, number = region.rsplit("-", 2)
    short = area + _COMPASS.get(direction, "") + number
    for group in made.node_groups:
        for name in ("primary_endpoint_address", "reader_endpoint_address"):
            group[name] = group[name].replace(".use1.", f".{short}.")
        group["primary_endpoint"] = {"address": group["primary_endpoint_address"], "port": made.port}
        for member in group["node_group_members"]:
            member["read_endpoint"]["address"] = member["read_endpoint"]["address"].replace(".use1.", f".{short}.")


def _modify(stand_in: AwsStandIn, backend: Any, group: Any, asked: dict[str, Any]) -> None:
    token, strategy = asked.get("AuthToken"), asked.get("AuthTokenUpdateStrategy")
    if token is not None or strategy is not None:
        if not group.transit_encryption_enabled:
            raise ElastiCacheException(_COMBINATION, "The AUTH token modification is only supported when encryption-in-transit is enabled.")
        if token is None and strategy != "DELETE":
            raise ElastiCacheException(_COMBINATION, "AuthToken must be provided with the chosen update strategy.")
        if token is not None and not 16 <= len(token) <= 128:
            raise ElastiCacheException(_VALUE, "The AUTH token must contain between 16 and 128 characters.")
        if strategy == "SET" and getattr(group, "token_strategy", None) != "ROTATE":
            raise ElastiCacheException(_COMBINATION, "The AUTH token update strategy SET is allowed only after ROTATE.")
        if strategy == "ROTATE" and token == group.token:
            raise ElastiCacheException(_VALUE, "The AUTH token must be another one than the one in use.")
        group.token_strategy = strategy
        group.token = None if strategy == "DELETE" else token
        group.auth_token_enabled = group.token is not None
        group.auth_token_last_modified_date = utcnow()
        stand_in.engines.redis_set_token(group.replication_group_id, group.token, strategy == "ROTATE")
    plain = {
        "ReplicationGroupDescription": "description", "CacheNodeType": "cache_node_type", "Engine": "engine",
        "SnapshotRetentionLimit": "snapshot_retention_limit", "SnapshotWindow": "snapshot_window",
        "AutoMinorVersionUpgrade": "auto_minor_version_upgrade", "TransitEncryptionMode": "transit_encryption_mode",
        "PreferredMaintenanceWindow": "preferred_maintenance_window", "SecurityGroupIds": "security_group_ids",
        "CacheParameterGroupName": "cache_parameter_group_name", "EngineVersion": "engine_version",
    }  # fmt: skip
    for parameter, attribute in plain.items():
        if asked.get(parameter) is not None:
            setattr(group, attribute, asked[parameter])
    for parameter, attribute in {"AutomaticFailoverEnabled": "automatic_failover", "MultiAZEnabled": "multi_az"}.items():
        if asked.get(parameter) is not None:
            setattr(group, attribute, "enabled" if asked[parameter] else "disabled")
    for member in group.member_clusters:
        backend.cache_clusters.pop(member, None)
        _member(backend, group, member)
    if asked.get("CacheParameterGroupName"):
        _up(stand_in, backend, group)


def _member(backend: Any, group: Any, member: str) -> None:
    version, zone = group.engine_version, f"{backend.region_name}a"
    unset = dict.fromkeys(inspect.signature(CacheCluster).parameters)
    same = (
        "cache_node_type", "engine", "cache_subnet_group_name", "transit_encryption_enabled", "network_type", "ip_discovery", "port",
        "auto_minor_version_upgrade", "snapshot_retention_limit", "security_group_ids",
    )  # fmt: skip
    own = {
        "account_id": ACCOUNT, "region_name": backend.region_name, "cache_cluster_id": member, "preferred_availability_zone": zone,
        "engine_version": version if version.count(".") == 2 else f"{version}.0",
        "preferred_maintenance_window": group.preferred_maintenance_window or "sun:05:00-sun:06:00",
    }  # fmt: skip
    cluster = CacheCluster(**(unset | {name: getattr(group, name) for name in same} | own))
    cluster.num_cache_nodes = 1
    cluster.replication_group_id = group.replication_group_id
    cluster.snapshot_window = group.snapshot_window
    cluster.security_groups = [{"security_group_id": number, "status": "active"} for number in group.security_group_ids or []]
    cluster.cache_parameter_group = {
        "cache_parameter_group_name": group.cache_parameter_group_name, "parameter_apply_status": "in-sync", "cache_node_ids_to_reboot": [],
    }  # fmt: skip
    cluster.at_rest_encryption_enabled = group.at_rest_encryption_enabled
    cluster.auth_token_enabled = group.auth_token_enabled
    cluster.transit_encryption_mode = group.transit_encryption_mode
    host = group.node_groups[0]["primary_endpoint_address"].replace("master.", f"{member}.", 1)
    cluster.cache_nodes = [
        {
            "cache_node_id": "0001", "cache_node_status": "available", "cache_node_create_time": cluster.cache_cluster_create_time,
            "endpoint": {"address": host, "port": cluster.port}, "parameter_group_status": "in-sync", "customer_availability_zone": zone,
        }
    ]  # fmt: skip
    backend.cache_clusters[member] = cluster
    tags = backend.tagging_service.get_tag_dict_for_resource(group.arn)
    backend.tagging_service.tag_resource(cluster.arn, [{"Key": key, "Value": value} for key, value in tags.items()])
