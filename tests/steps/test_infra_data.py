"""The database and its kept snapshots against an AWS in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto.rds.models import rds_backends

from genai_platform.config.settings import Lifecycle
from genai_platform.engine.step import Observation, State
from genai_platform.errors import Interrupted, StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.data import DataStep, data_inputs, keep, kept_snapshots
from tests.tools.aws_world import Impatient, Quiet, world


def test_a_kept_snapshot_is_replaced_seen_and_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        rds = clients.aws.client("rds")
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="secret99"
        )
        rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="genai-kept-20260101000000", DBClusterIdentifier="genai")
        name = keep(clients.aws, "genai", Quiet(), 60)
        assert kept_snapshots(clients.aws) == [name]
        step = DataStep(clients, "data", (), 1, data_inputs)
        assert step.observe().state is State.DRIFTED
        assert step.destroy(Quiet()) == "nothing ran; 1 snapshots deleted"
        assert step.observe().state is State.ABSENT


@pytest.mark.parametrize(("status", "passes"), [("failing-over", True), ("backing-up", True), ("cloning-failed", False)])
def test_a_snapshot_waits_for_a_database_that_will_be_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, passes: bool
) -> None:
    with world(tmp_path, monkeypatch) as clients:
        rds = clients.aws.client("rds")
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="x" * 9
        )
        rds_backends["123456789012"]["ap-northeast-1"].clusters["genai"].status = status
        progress = Impatient()
        with pytest.raises(Interrupted if passes else StepError):
            keep(clients.aws, "genai", progress, 60)
        assert progress.said == ([f"database genai: {status}; waiting until it is available"] if passes else [])
        assert rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"] == []


def test_a_database_that_was_stopped_by_hand_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could be used, kept, changed or removed in no other way."""
    with world(tmp_path, monkeypatch, lifecycle={"down": "keep-data"}) as clients:
        rds, roots = clients.aws.client("rds"), clients.terraform
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="secret99"
        )
        monkeypatch.setattr(roots.state, "resources", lambda root: 3)
        monkeypatch.setattr(roots, "observe", lambda root, variables: Observation(State.PRESENT, "as configured"))
        step = DataStep(clients, "data", (), 1, lambda clients: {}, limit=30)
        assert step.observe().state is State.PRESENT

        def status() -> str:
            return str(rds.describe_db_clusters(DBClusterIdentifier="genai")["DBClusters"][0]["Status"])

        everything = replace(clients.target, settings=clients.target.settings.model_copy(update={"lifecycle": Lifecycle()}))
        removing = DataStep(Clients(everything, aws=clients.aws, terraform=roots), "data", (), 1, lambda clients: {}, limit=30)
        for act in (step.apply, step.destroy, removing.destroy):
            rds.stop_db_cluster(DBClusterIdentifier="genai")
            assert step.observe() == Observation(State.DRIFTED, "the database is stopped")
            act(Quiet())
            assert status() == "available"


def test_a_database_keeps_its_version_and_a_restored_one_takes_its_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        roots: Any = clients.terraform
        roots.given |= {
            "network": {
                "vpc_id": "vpc-1", "public_subnet_ids": ["a", "b"], "private_subnet_ids": ["c", "d"], "nat_public_ips": [],
                "private_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24"],
            },
            "storage": {"langfuse_bucket": "lang", "clickhouse_bucket": "click", "secret_arn": "arn"},
        }  # fmt: skip
        rds = clients.aws.client("rds")
        given = {"Engine": "aurora-postgresql", "MasterUsername": "platform", "MasterUserPassword": "secret99"}
        rds.create_db_cluster(DBClusterIdentifier="genai", EngineVersion="16.10", **given)
        assert data_inputs(clients)["engine_version"] == "16.10"
        keep(clients.aws, "genai", Quiet(), 60)
        # AWS upgrades what runs: the snapshot must not take it back.
        rds.modify_db_cluster(DBClusterIdentifier="genai", EngineVersion="16.11")
        assert data_inputs(clients)["engine_version"] == "16.11"
        rds.delete_db_cluster(DBClusterIdentifier="genai", SkipFinalSnapshot=True)
        assert data_inputs(clients)["engine_version"] == "16.10"


def test_a_snapshot_carries_the_environments_tags_though_the_database_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        rds = clients.aws.client("rds")
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="secret99"
        )
        name = keep(clients.aws, "genai", Quiet(), 60)
        found = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]
        assert {tag["Key"]: tag["Value"] for tag in found["TagList"]} == clients.target.tags


def test_keeping_goes_on_where_an_earlier_run_had_deleted_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, lifecycle={"down": "keep-data"}) as clients:
        rds, roots = clients.aws.client("rds"), clients.terraform
        monkeypatch.setattr(roots.state, "resources", lambda root: 3)
        step = DataStep(clients, "data", (), 1, data_inputs)
        assert step.destroy(Quiet()) == "destroyed"
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="secret99"
        )
        assert step.destroy(Quiet()).startswith("kept: snapshot genai-kept-")
