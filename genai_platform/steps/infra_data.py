"""The data root, and the snapshots that let tomorrow's database start where today's ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genai_platform.errors import GenaiError, StepError
from genai_platform.graph.step import Finding, Progress, State
from genai_platform.steps.doors import Doors
from genai_platform.steps.infra_terraform import RootStep
from genai_platform.tools.aws import Aws, explained
from genai_platform.tools.wait import wait_for


def data_inputs(doors: Doors) -> Mapping[str, Any]:
    network = doors.network()
    kept = kept_snapshots(doors.aws)
    return {
        "vpc_id": network.vpc_id,
        "private_subnet_ids": network.private_subnet_ids,
        "private_subnet_cidrs": network.private_subnet_cidrs,
        "secret_id": doors.storage().secret_arn,
        # Read at creation only: a database that stands is not touched by it.
        "snapshot": kept[-1] if kept else None,
    }


def kept_snapshots(aws: Aws) -> list[str]:
    """Names of the snapshots that ``down --keep-data`` made for this environment and that can be used, oldest first."""
    start = f"{aws.target.prefix}-kept-"
    with explained("list the database's snapshots"):
        pages = aws.client("rds").get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual")
        found = [entry for page in pages for entry in page["DBClusterSnapshots"]]
    return sorted(
        entry["DBClusterSnapshotIdentifier"]
        for entry in found
        if entry["DBClusterSnapshotIdentifier"].startswith(start) and entry.get("Status") == "available"
    )


def stands(aws: Aws, cluster: str) -> bool:
    """Whether the database is there and not on its way out, so that a snapshot can be taken."""
    return _status(aws, cluster) not in (None, "deleting")


def _status(aws: Aws, cluster: str) -> str | None:
    """What RDS says of the database; None when there is none."""
    client = aws.client("rds")
    with explained(f"look at the database {cluster}"):
        try:
            return str(client.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]["Status"])
        except client.exceptions.DBClusterNotFoundFault:
            return None


def keep(aws: Aws, cluster: str, progress: Progress, timeout: float) -> str:
    """Take a snapshot of the database, wait for it, and drop the older ones."""
    client = aws.client("rds")
    older = kept_snapshots(aws)
    name = f"{aws.target.prefix}-kept-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
    tags = [{"Key": key, "Value": value} for key, value in aws.target.tags.items()]
    _until_available(aws, cluster, progress, timeout)
    with explained(f"take the snapshot {name}"):
        client.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier=cluster, Tags=tags)
    status = "creating"

    def look() -> bool | None:
        nonlocal status
        with explained(f"look at the snapshot {name}"):
            status = client.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]["Status"]
        if status == "failed":
            raise StepError(f"the snapshot {name} failed; the database was not touched", id="infra.snapshot")
        return True if status == "available" else None

    wait_for(look, progress, lambda: f"snapshot {name}: {status}", timeout, 10)
    drop(aws, older)
    return name


def _until_available(aws: Aws, cluster: str, progress: Progress, timeout: float) -> None:
    """While it is backed up or changed, RDS takes no snapshot (InvalidDBClusterStateFault)."""
    status: str | None = ""

    def look() -> bool | None:
        nonlocal status
        status = _status(aws, cluster)
        # "failing-over" passes; what has failed does not.
        if status is None or status.endswith("failed") or status.startswith("inaccessible"):
            raise StepError(f"the database {cluster} is {status or 'gone'}: no snapshot can be taken", id="infra.snapshot")
        return True if status == "available" else None

    wait_for(look, progress, lambda: f"database {cluster}: {status}; a snapshot needs it available", timeout, 10)


def drop(aws: Aws, names: Sequence[str]) -> None:
    """Delete snapshots. One that is gone already is no error."""
    client = aws.client("rds")
    for name in names:
        with explained(f"delete the snapshot {name}"):
            try:
                client.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
            except client.exceptions.DBClusterSnapshotNotFoundFault:
                continue


@dataclass(frozen=True)
class DataStep(RootStep):
    """The root of both data stores. It knows of the snapshots kept from an earlier day."""

    @property
    def _keeping(self) -> bool:
        return self.doors.target.settings.lifecycle.down == "keep-data"

    def probe(self) -> Finding:
        found = super().probe()
        if found.state is not State.ABSENT:
            return found
        try:
            kept = kept_snapshots(self.doors.aws)
        except GenaiError as error:
            return Finding(State.UNKNOWN, error.message)
        if not kept:
            return found
        # What a ``down`` of everything would still have to remove is not absent.
        return Finding(State.ABSENT if self._keeping else State.DRIFTED, f"not running; its data is kept in the snapshot {kept[-1]}")

    def destroy(self, progress: Progress) -> str:
        terraform, aws = self.doors.terraform, self.doors.aws
        self.recover(progress)
        standing = terraform.state.resources(self.root) > 0
        if self._keeping:
            if not standing:
                return "nothing runs; its data is kept"
            # The root names the database after the environment. One that never came to stand, or went before, leaves nothing to keep.
            if not stands(aws, self.doors.target.prefix):
                return super().destroy(progress)
            name = keep(aws, self.doors.target.prefix, progress, self.limit)
            return f"kept: snapshot {name}; {super().destroy(progress)}"
        told = super().destroy(progress) if standing else "nothing ran"
        kept = kept_snapshots(aws)
        drop(aws, kept)
        return f"{told}; {len(kept)} snapshots deleted" if kept else told
