"""RDS: Aurora Serverless v2 as AWS answers for it, with a real PostgreSQL behind the cluster's endpoint."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBClusterNotFoundError, InvalidDBClusterStateFault, InvalidParameterCombination, RDSClientError
from moto.rds.models import DBCluster, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn
from genai_platform.sandbox.pace import RDS_START, RDS_STOP

_VERSIONS = {"14": "14.18", "15": "15.13", "16": "16.9", "17": "17.5"}
"""What AWS chooses for a major version alone: the region's default, which lags behind what it upgrades clusters to."""


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's RDS."""
    create, modify, delete = RDSBackend.create_db_cluster, RDSBackend.modify_db_cluster, RDSBackend.delete_db_cluster
    snapshot, forget = RDSBackend.create_db_cluster_snapshot, RDSBackend.delete_db_cluster_snapshot
    restore, info = RDSBackend.restore_db_cluster_from_snapshot, DBCluster.scaling_configuration_info.fget
    delete_asked, delete_instance = RDSResponse.delete_db_cluster, RDSBackend.delete_db_instance
    create_subnets, delete_subnets = RDSBackend.create_subnet_group, RDSBackend.delete_subnet_group

    def create_db_cluster(self: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("engine") == "aurora-postgresql":
            kwargs["engine_version"] = _full(kwargs.get("engine_version") or "16")
        if kwargs["db_cluster_identifier"] in self.clusters:
            raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        cluster = create(self, kwargs)
        if cluster.parameter_group == "default.aurora8.0" and cluster.engine == "aurora-postgresql":
            cluster.parameter_group = f"default.aurora-postgresql{cluster.engine_version.split('.')[0]}"
        cluster.status = "available"
        try:
            _up(stand_in, cluster)
        except Exception:
            del self.clusters[cluster.db_cluster_identifier]
            raise
        return cluster

    def modify_db_cluster(self: Any, kwargs: dict[str, Any]) -> Any:
        known = self.clusters.get(kwargs["db_cluster_identifier"])
        scaling = kwargs.get("serverless_v2_scaling_configuration")
        before = getattr(known, "serverless_v2_scaling_configuration", None)
        password = kwargs.get("master_user_password")
        if known is not None:
            _refuse_stopped(known)
            _check_upgrade(known, kwargs)
        modify(self, kwargs)
        if scaling and before:
            known.serverless_v2_scaling_configuration = type(before)({**_plain(before), **_plain(scaling)})
        if password:
            _up(stand_in, known)
        return known

    def delete_db_cluster(self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
        _refuse_stopped(self.clusters.get(cluster_identifier))
        cluster = delete(self, cluster_identifier, snapshot_name)
        cluster.status = "deleting"
        for name, snapshot in list(self.cluster_snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.cluster.db_cluster_identifier == cluster.db_cluster_identifier:
                del self.cluster_snapshots[name]
        if cluster.engine == "aurora-postgresql":
            stand_in.engines.postgres_down(cluster.db_cluster_identifier)
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
            reason = f"at least one database cluster: {user.db_cluster_identifier} is still using it."
            text = f"Cannot delete the subnet group '{subnet_name}' because {reason}"
            raise RDSClientError("InvalidDBSubnetGroupStateFault", text)
        return delete_subnets(self, subnet_name)

    def create_db_cluster_snapshot(
        self: Any, db_cluster_identifier: str, db_cluster_snapshot_identifier: str, *more: Any, **options: Any
    ) -> Any:
        _refuse_stopped(self.clusters.get(db_cluster_identifier))
        made = snapshot(self, db_cluster_identifier, db_cluster_snapshot_identifier, *more, **options)
        if made.snapshot_type == "manual" and made.cluster.engine == "aurora-postgresql":
            try:
                stand_in.engines.postgres_snapshot(made.cluster.db_cluster_identifier, db_cluster_snapshot_identifier)
            except Exception:
                del self.cluster_snapshots[db_cluster_snapshot_identifier]
                raise
        return made

    def delete_db_cluster_snapshot(self: Any, db_snapshot_identifier: str) -> Any:
        gone = forget(self, db_snapshot_identifier)
        stand_in.engines.snapshot_gone(db_snapshot_identifier)
        return gone

    def restore_db_cluster_from_snapshot(self: Any, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
        kept, name = self.cluster_snapshots.get(from_snapshot_id), str(overrides.get("db_cluster_identifier") or "")
        if kept is not None and name and kept.cluster.engine == "aurora-postgresql" and name not in self.clusters:
            asked = _full(overrides.get("engine_version") or kept.engine_version)
            if _order(asked) < _order(kept.engine_version):
                raise InvalidParameterCombination(
                    f"The engine version you requested for your restored DB cluster ({asked}) is earlier than "
                    f"the engine version of the DB cluster snapshot ({kept.engine_version})."
                )
            overrides["engine_version"] = asked
            # Laid out before the server starts: it then finds a cluster instead of making one.
            stand_in.engines.postgres_down(name)
            stand_in.engines.postgres_restore(name, from_snapshot_id)
        cluster = restore(self, from_snapshot_id, overrides)
        cluster.snapshot_identifier = from_snapshot_id
        return cluster

    def stop_db_cluster(self: Any, cluster_identifier: str) -> Any:
        cluster = _in_state(self, cluster_identifier, "available")
        _state(self, cluster, "stopping")
        stand_in.engines.postgres_stop(cluster_identifier)
        stand_in.later(RDS_STOP, lambda: _state(self, cluster, "stopped"))
        return cluster

    def start_db_cluster(self: Any, cluster_identifier: str) -> Any:
        cluster = _in_state(self, cluster_identifier, "stopped")
        _state(self, cluster, "starting")

        def started() -> None:
            _up(stand_in, cluster)
            _state(self, cluster, "available")

        stand_in.later(RDS_START, started)
        return cluster

    def delete_db_instance(self: Any, db_instance_identifier: str, *more: Any, **options: Any) -> Any:
        database = self.databases.get(db_instance_identifier)
        if database is not None and database.db_cluster_identifier:
            _refuse_stopped(self.clusters.get(database.db_cluster_identifier))
        return delete_instance(self, db_instance_identifier, *more, **options)

    def describe_db_engine_versions(self: Any) -> Any:
        asked, default = self.params.get("EngineVersion") or "", bool(self.params.get("DefaultOnly"))
        engine = self.params.get("Engine") or "aurora-postgresql"
        found = [
            {"Engine": engine, "EngineVersion": full, "DBParameterGroupFamily": f"{engine}{major}", "Status": "available"}
            for major, full in _VERSIONS.items()
            if asked in ("", major, full) and engine == "aurora-postgresql" and (asked or not default or major == "16")
        ]
        return ActionResult({"DBEngineVersions": found})

    def scaling_configuration_info(self: Any) -> Any:
        return info(self) if self.scaling_configuration else None

    RDSBackend.create_db_cluster = create_db_cluster
    RDSBackend.modify_db_cluster = modify_db_cluster
    RDSBackend.delete_db_cluster = delete_db_cluster
    RDSResponse.delete_db_cluster = delete_db_cluster_asked
    RDSBackend.stop_db_cluster = stop_db_cluster
    RDSBackend.start_db_cluster = start_db_cluster
    RDSBackend.delete_db_instance = delete_db_instance
    RDSResponse.describe_db_engine_versions = describe_db_engine_versions
    RDSBackend.create_subnet_group = create_subnet_group
    RDSBackend.delete_subnet_group = delete_subnet_group
    RDSBackend.create_db_cluster_snapshot = create_db_cluster_snapshot
    RDSBackend.delete_db_cluster_snapshot = delete_db_cluster_snapshot
    RDSBackend.restore_db_cluster_from_snapshot = restore_db_cluster_from_snapshot
    DBCluster.scaling_configuration_info = property(scaling_configuration_info)


def resume(stand_in: AwsStandIn) -> None:
    """Start the servers of the clusters that were read from saved state."""
    for backend in rds_backends[ACCOUNT].values():
        for cluster in backend.clusters.values():
            if cluster.status in ("stopping", "stopped"):
                _state(backend, cluster, "stopped")
                continue
            _up(stand_in, cluster)
            if cluster.status == "starting":
                _state(backend, cluster, "available")


def _plain(configuration: Any) -> dict[str, Any]:
    """With the keys as they were sent: moto's own kind of mapping lists them in another spelling, and cannot be merged."""
    return dict(configuration.original_dict() if hasattr(configuration, "original_dict") else configuration)


def _full(version: str) -> str:
    return _VERSIONS.get(version, version)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _check_upgrade(cluster: Any, asked: dict[str, Any]) -> None:
    """Refuse an earlier version than the running one."""
    if cluster.engine != "aurora-postgresql" or not asked.get("engine_version"):
        return
    wanted = asked["engine_version"] = _full(asked["engine_version"])
    if _order(wanted) < _order(cluster.engine_version):
        raise InvalidParameterCombination(f"Cannot upgrade aurora-postgresql from {cluster.engine_version} to {wanted}")


def _state(backend: Any, cluster: Any, status: str) -> None:
    """A cluster's state is its members', too."""
    name = cluster.db_cluster_identifier
    for one in (cluster, *(member for member in backend.databases.values() if member.db_cluster_identifier == name)):
        one.status = status


def _in_state(backend: Any, name: str, wanted: str) -> Any:
    cluster = backend.clusters.get(name)
    if cluster is None:
        raise DBClusterNotFoundError(name)
    if cluster.status != wanted:
        raise InvalidDBClusterStateFault(f"DbCluster {name} is in {cluster.status} state but expected it to be one of {wanted}.")
    return cluster


def _refuse_stopped(cluster: Any) -> None:
    """What is stopped can only be started: hashicorp/terraform-provider-aws#28262."""
    if cluster is not None and cluster.status in ("stopping", "stopped", "starting"):
        raise InvalidDBClusterStateFault(f"Db cluster {cluster.db_cluster_identifier} is in {cluster.status} state")


def _up(stand_in: AwsStandIn, cluster: Any) -> None:
    if cluster.engine == "aurora-postgresql":
        name, where, password = cluster.db_cluster_identifier, (cluster.endpoint, cluster.port), cluster._master_user_password
        stand_in.engines.postgres_up(name, *where, cluster.master_username, password, cluster.database_name)
