"""RDS: Aurora Serverless v2 as AWS answers for it, with a real PostgreSQL behind the cluster's endpoint."""

from __future__ import annotations

from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import DBCluster, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.world import World

_VERSIONS = {"14": "14.18", "15": "15.13", "16": "16.9", "17": "17.5"}
"""What AWS chooses for a major version alone."""


def mend(world: World) -> None:
    """Patch moto's RDS."""
    create, modify, delete = RDSBackend.create_db_cluster, RDSBackend.modify_db_cluster, RDSBackend.delete_db_cluster
    snapshot, forget = RDSBackend.create_db_cluster_snapshot, RDSBackend.delete_db_cluster_snapshot
    restore, info = RDSBackend.restore_db_cluster_from_snapshot, DBCluster.scaling_configuration_info.fget
    delete_asked = RDSResponse.delete_db_cluster
    create_subnets, delete_subnets = RDSBackend.create_subnet_group, RDSBackend.delete_subnet_group

    def create_db_cluster(self: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("engine") == "aurora-postgresql":
            asked = kwargs.get("engine_version") or "16"
            kwargs["engine_version"] = _VERSIONS.get(asked, asked)
        if kwargs["db_cluster_identifier"] in self.clusters:
            raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        cluster = create(self, kwargs)
        if cluster.parameter_group == "default.aurora8.0" and cluster.engine == "aurora-postgresql":
            cluster.parameter_group = f"default.aurora-postgresql{cluster.engine_version.split('.')[0]}"
        cluster.status = "available"
        try:
            _up(world, cluster)
        except Exception:
            del self.clusters[cluster.db_cluster_identifier]
            raise
        return cluster

    def modify_db_cluster(self: Any, kwargs: dict[str, Any]) -> Any:
        known = self.clusters.get(kwargs["db_cluster_identifier"])
        scaling = kwargs.get("serverless_v2_scaling_configuration")
        before = getattr(known, "serverless_v2_scaling_configuration", None)
        password = kwargs.get("master_user_password")
        modify(self, kwargs)
        cluster = next(cluster for cluster in self.clusters.values() if cluster is known)
        if scaling and before:
            cluster.serverless_v2_scaling_configuration = type(before)({**_plain(before), **_plain(scaling)})
        if password:
            _up(world, cluster)
        return cluster

    def delete_db_cluster(self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
        cluster = delete(self, cluster_identifier, snapshot_name)
        cluster.status = "deleting"
        for name, snapshot in list(self.cluster_snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.cluster.db_cluster_identifier == cluster.db_cluster_identifier:
                del self.cluster_snapshots[name]
        if cluster.engine == "aurora-postgresql":
            world.engines.postgres_down(cluster.db_cluster_identifier)
        return cluster

    def delete_db_cluster_asked(self: Any) -> Any:
        if not self.params.get("SkipFinalSnapshot") and not self.params.get("FinalDBSnapshotIdentifier"):
            raise InvalidParameterCombination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        return delete_asked(self)

    def create_subnet_group(self: Any, subnet_name: str, *more: Any, **options: Any) -> Any:
        if subnet_name in self.subnet_groups:
            raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{subnet_name}' already exists.")
        return create_subnets(self, subnet_name, *more, **options)

    def delete_subnet_group(self: Any, subnet_name: str) -> Any:
        user = next((one for one in self.clusters.values() if one.db_subnet_group_name == subnet_name), None)
        if user is not None:
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because at least one database cluster: "
                f"{user.db_cluster_identifier} is still using it.",
            )
        return delete_subnets(self, subnet_name)

    def create_db_cluster_snapshot(
        self: Any, db_cluster_identifier: str, db_cluster_snapshot_identifier: str, *more: Any, **options: Any
    ) -> Any:
        made = snapshot(self, db_cluster_identifier, db_cluster_snapshot_identifier, *more, **options)
        if made.snapshot_type == "manual" and made.cluster.engine == "aurora-postgresql":
            try:
                world.engines.postgres_snapshot(made.cluster.db_cluster_identifier, db_cluster_snapshot_identifier)
            except Exception:
                del self.cluster_snapshots[db_cluster_snapshot_identifier]
                raise
        return made

    def delete_db_cluster_snapshot(self: Any, db_snapshot_identifier: str) -> Any:
        gone = forget(self, db_snapshot_identifier)
        world.engines.snapshot_gone(db_snapshot_identifier)
        return gone

    def restore_db_cluster_from_snapshot(self: Any, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
        kept, name = self.cluster_snapshots.get(from_snapshot_id), str(overrides.get("db_cluster_identifier") or "")
        if kept is not None and name and kept.cluster.engine == "aurora-postgresql" and name not in self.clusters:
            # Laid out before the server starts: it then finds a cluster instead of making one.
            world.engines.postgres_down(name)
            world.engines.postgres_restore(name, from_snapshot_id)
        cluster = restore(self, from_snapshot_id, overrides)
        cluster.snapshot_identifier = from_snapshot_id
        return cluster

    def scaling_configuration_info(self: Any) -> Any:
        return info(self) if self.scaling_configuration else None

    RDSBackend.create_db_cluster = create_db_cluster
    RDSBackend.modify_db_cluster = modify_db_cluster
    RDSBackend.delete_db_cluster = delete_db_cluster
    RDSResponse.delete_db_cluster = delete_db_cluster_asked
    RDSBackend.create_subnet_group = create_subnet_group
    RDSBackend.delete_subnet_group = delete_subnet_group
    RDSBackend.create_db_cluster_snapshot = create_db_cluster_snapshot
    RDSBackend.delete_db_cluster_snapshot = delete_db_cluster_snapshot
    RDSBackend.restore_db_cluster_from_snapshot = restore_db_cluster_from_snapshot
    DBCluster.scaling_configuration_info = property(scaling_configuration_info)


def resume(world: World) -> None:
    """Start the servers of the clusters that were read from saved state."""
    for backend in rds_backends[ACCOUNT].values():
        for cluster in backend.clusters.values():
            _up(world, cluster)


def _plain(configuration: Any) -> dict[str, Any]:
    """With the keys as they were sent: moto's own kind of mapping lists them in another spelling, and cannot be merged."""
    return dict(configuration.original_dict() if hasattr(configuration, "original_dict") else configuration)


def _up(world: World, cluster: Any) -> None:
    if cluster.engine == "aurora-postgresql":
        name, where, password = cluster.db_cluster_identifier, (cluster.endpoint, cluster.port), cluster._master_user_password
        world.engines.postgres_up(name, *where, cluster.master_username, password, cluster.region, cluster.database_name)
