"""The data root, and the snapshots that let tomorrow's database start where today's ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genai_platform.engine.step import Observation, Progress, State, drifted
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import RootStep
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent
from genai_platform.tools.wait import wait_for

_MAJOR = "16"
_STOPPED = ("stopping", "stopped", "starting")
"""States of a database that a person stopped (or started again) by hand: it can be neither used, changed, nor deleted."""


def data_inputs(clients: Clients) -> Mapping[str, Any]:
    network = clients.network()
    kept = _kept(clients.aws)
    return {
        "vpc_id": network.vpc_id,
        "private_subnet_ids": network.private_subnet_ids,
        "private_subnet_cidrs": network.private_subnet_cidrs,
        "secret_id": clients.storage().secret_arn,
        # Read at creation only: an existing database is not touched by it.
        "snapshot": kept[-1]["DBClusterSnapshotIdentifier"] if kept else None,
        "engine_version": _engine_version(clients.aws, clients.target.prefix, kept),
    }


def _engine_version(aws: Aws, cluster: str, kept: Sequence[Mapping[str, Any]]) -> str:
    """The full version, which AWS upgrades by itself in the course of weeks and never takes back.

    What runs keeps its version; a new database has its snapshot's, since AWS refuses to restore to an earlier one; without
    a snapshot it is the region's default. A full version is given, because Terraform's provider sends it again with every
    change unless it is exactly the running one.
    """
    found = _described(aws, cluster)
    if found is not None:
        return str(found["EngineVersion"])
    if kept:
        return str(kept[-1]["EngineVersion"])
    with explained("look up Aurora PostgreSQL's default version"):
        answer = aws.client("rds").describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion=_MAJOR, DefaultOnly=True)
    versions = [str(one["EngineVersion"]) for one in answer["DBEngineVersions"]]
    return versions[0] if versions else _MAJOR


def kept_snapshots(aws: Aws) -> list[str]:
    """Names of the snapshots that ``down --keep-data`` made for this environment and that can be used, oldest first."""
    return [str(entry["DBClusterSnapshotIdentifier"]) for entry in _kept(aws)]


def _kept(aws: Aws) -> list[dict[str, Any]]:
    start = f"{aws.target.prefix}-kept-"
    with explained("list the database's snapshots"):
        pages = aws.client("rds").get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual")
        found = [entry for page in pages for entry in page["DBClusterSnapshots"]]
    usable = (entry for entry in found if entry["DBClusterSnapshotIdentifier"].startswith(start) and entry.get("Status") == "available")
    return sorted(usable, key=lambda entry: str(entry["DBClusterSnapshotIdentifier"]))


def _described(aws: Aws, cluster: str) -> dict[str, Any] | None:
    """What RDS says of the database; None when there is none."""
    with explained(f"look at the database {cluster}"):
        found = unless_absent(aws.client("rds").describe_db_clusters, DBClusterIdentifier=cluster)
    return dict(found["DBClusters"][0]) if found else None


def _status(aws: Aws, cluster: str) -> str | None:
    found = _described(aws, cluster)
    return None if found is None else str(found["Status"])


def keep(aws: Aws, cluster: str, progress: Progress, timeout: float) -> str:
    """Take a snapshot of the database, wait for it, tag it, and drop the older ones."""
    client = aws.client("rds")
    older = kept_snapshots(aws)
    name = f"{aws.target.prefix}-kept-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
    tags = [{"Key": key, "Value": value} for key, value in aws.target.tags.items()]
    _until_available(aws, cluster, progress, timeout)
    with explained(f"take the snapshot {name}"):
        made = client.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier=cluster)["DBClusterSnapshot"]
    status = "creating"

    def look() -> bool | None:
        nonlocal status
        with explained(f"look at the snapshot {name}"):
            status = client.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]["Status"]
        if status == "failed":
            raise StepError(f"the snapshot {name} failed; the database was not touched", id="infra.snapshot")
        return True if status == "available" else None

    wait_for(look, progress, lambda: f"snapshot {name}: {status}", timeout, 10)
    # The database's own are copied to it. Given a second time at the creation, AWS might refuse them.
    with explained(f"tag the snapshot {name}"):
        client.add_tags_to_resource(ResourceName=made["DBClusterSnapshotArn"], Tags=tags)
    drop(aws, older)
    return name


def _until_available(aws: Aws, cluster: str, progress: Progress, timeout: float) -> None:
    """Wait for it: while it is backed up or changed, RDS takes no snapshot (InvalidDBClusterStateFault). A stopped one is started."""
    client = aws.client("rds")
    status: str | None = ""

    def look() -> bool | None:
        nonlocal status
        status = _status(aws, cluster)
        # "failing-over" passes; what has failed does not.
        if status is None or status.endswith("failed") or status.startswith("inaccessible"):
            raise StepError(f"the database {cluster} is {status or 'gone'}; it is needed available", id="infra.database")
        if status == "stopped":
            with explained(f"start the database {cluster}"), contextlib.suppress(client.exceptions.InvalidDBClusterStateFault):
                client.start_db_cluster(DBClusterIdentifier=cluster)
        return True if status == "available" else None

    wait_for(look, progress, lambda: f"database {cluster}: {status}; waiting until it is available", timeout, 10)


def drop(aws: Aws, names: Sequence[str]) -> None:
    """Delete snapshots. One that is already gone is not an error."""
    for name in names:
        with explained(f"delete the snapshot {name}"):
            unless_absent(aws.client("rds").delete_db_cluster_snapshot, DBClusterSnapshotIdentifier=name)


@dataclass(frozen=True)
class DataStep(RootStep):
    """The root of both data stores. It knows of the snapshots kept from an earlier day."""

    @property
    def _keeping(self) -> bool:
        return self.clients.target.settings.lifecycle.down == "keep-data"

    def _beyond_terraform(self, found: Observation) -> Observation:
        if found.state is State.PRESENT:
            return self._usable(found)
        if found.state is not State.ABSENT:
            return found
        kept = kept_snapshots(self.clients.aws)
        if not kept:
            return found
        # What a ``down`` of everything would still have to remove is not absent.
        state = State.ABSENT if self._keeping else State.DRIFTED
        return replace(found, state=state, evidence=f"not running; its data is kept in the snapshot {kept[-1]}")

    def _usable(self, found: Observation) -> Observation:
        """Terraform does not tell of a database that was stopped by hand."""
        status = _status(self.clients.aws, self.clients.target.prefix)
        return drifted(f"the database is {status}") if status in _STOPPED else found

    def apply(self, progress: Progress) -> str:
        self._started(progress)
        return super().apply(progress)

    def _started(self, progress: Progress) -> None:
        """Start a database that was stopped by hand: AWS neither changes nor deletes it before."""
        cluster = self.clients.target.prefix
        if _status(self.clients.aws, cluster) in _STOPPED:
            _until_available(self.clients.aws, cluster, progress, self.limit)

    def _to_destroy(self) -> dict[str, Any]:
        # Terraform reads the password on its way to a deletion, too, and fails where somebody has deleted the secret.
        gone = self.clients.aws.secret_document() is None
        return super()._to_destroy() | ({"secret_id": None} if gone else {})

    def destroy(self, progress: Progress) -> str:
        terraform, aws = self.clients.terraform, self.clients.aws
        self.recover(progress)
        existing = terraform.state.resources(self.root) > 0
        if self._keeping:
            if not existing:
                return "nothing runs; its data is kept"
            # The root names the database after the environment. One that was never created, or went before, leaves nothing to keep.
            if _status(aws, self.clients.target.prefix) in (None, "deleting"):
                return super().destroy(progress)
            name = keep(aws, self.clients.target.prefix, progress, self.limit)
            return f"kept: snapshot {name}; {super().destroy(progress)}"
        if existing:
            self._started(progress)
        told = super().destroy(progress) if existing else "nothing ran"
        kept = kept_snapshots(aws)
        drop(aws, kept)
        return f"{told}; {len(kept)} snapshots deleted" if kept else told
