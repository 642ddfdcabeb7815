"""Secrets, certificate, state bucket, snapshots and Redis' token against an AWS in this process."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto.rds.models import rds_backends

from genai_platform.config.settings import Ingress, Lifecycle
from genai_platform.engine.observe import observe
from genai_platform.engine.step import Observation, State
from genai_platform.errors import Interrupted, MissingError, StepError
from genai_platform.steps import infra
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import certificate as infra_certificate
from genai_platform.steps.infra.data import DataStep, data_inputs, keep, kept_snapshots
from genai_platform.steps.infra.redis import RedisStep
from genai_platform.steps.infra.secrets import SecretsStep
from genai_platform.steps.infra.terraform import StateStep, StorageStep, no_inputs
from genai_platform.tools.aws import certificate
from genai_platform.tools.aws.client import Aws
from tests.tools.aws_world import Quiet, world


def container(clients: Clients) -> None:
    clients.aws.client("secretsmanager").create_secret(Name=clients.aws.secret_name)


# -- secrets --------------------------------------------------------------------------------------
def test_secrets_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-1"})
        container(clients)
        assert step.observe().state is State.ABSENT
        assert "written" in step.apply(Quiet())
        first = clients.secrets()
        assert step.observe().state is State.PRESENT
        assert "as it was" in step.apply(Quiet())
        assert clients.secrets() == first


def test_a_new_key_in_the_environment_is_drift_and_changes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key-1"}).apply(Quiet())
        before = clients.secrets()
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-2"})
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        assert clients.secrets().upstream_keys["AZURE_API_KEY"].get_secret_value() == "key-2"
        assert clients.secrets().litellm_salt_key == before.litellm_salt_key
        assert SecretsStep(clients, {}).observe().state is State.PRESENT


def test_a_key_that_is_nowhere_is_named_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        container(clients)
        with pytest.raises(MissingError, match="AZURE_API_KEY"):
            SecretsStep(clients, {}).apply(Quiet())
        assert clients.aws.secret_document() is None


def test_without_its_container_the_step_names_the_one_that_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients, pytest.raises(StepError) as caught:
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
    assert "infra.storage" in str(caught.value.remedy)


def test_foreign_entries_survive_and_no_value_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        container(clients)
        clients.aws.client("secretsmanager").put_secret_value(SecretId=clients.aws.secret_name, SecretString='{"of_tomorrow": 1}')
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-1"})
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        document = clients.aws.secret_document()
        assert document is not None
        assert document["of_tomorrow"] == 1
        assert document["redis_token"] not in repr(clients.secrets())


# -- certificate ----------------------------------------------------------------------------------
def test_the_tools_certificate_is_imported_trusted_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
        step = infra_certificate.step(clients)
        assert step.observe().state is State.ABSENT
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        arn = infra_certificate.certificate_arn(clients)
        ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        assert (tmp_path / "ca.pem").stat().st_mode & 0o777 == 0o600
        (tmp_path / "ca.pem").unlink()
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        assert infra_certificate.certificate_arn(clients) == arn
        assert step.destroy(Quiet()) == "certificate deleted"
        assert certificate.find(clients.aws) is None
        assert not (tmp_path / "ca.pem").exists()
        assert step.destroy(Quiet()) == "no certificate in ACM"


def test_a_certificate_whose_secrets_are_gone_is_unknown_and_never_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
        step = infra_certificate.step(clients)
        step.apply(Quiet())
        clients.aws.client("secretsmanager").delete_secret(SecretId=clients.aws.secret_name, ForceDeleteWithoutRecovery=True)
        found = observe(infra_certificate.step(Clients(clients.target, aws=Aws(clients.target), terraform=clients.terraform)))
        assert (found.state, str(found.remedy)) == (State.UNKNOWN, "run: genai infra --only infra.secrets")


def test_a_certificate_for_other_names_gives_way_when_nothing_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a load balancer uses cannot be deleted: the new one counts at once, and the earlier goes at a later run."""
    used: set[str] = set()
    delete = certificate.delete
    monkeypatch.setattr(certificate, "delete", lambda aws, arn: arn not in used and delete(aws, arn))
    with world(tmp_path, monkeypatch, ingress={"domain": "one.example.com"}) as clients:
        clients.aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        first = infra_certificate.step(clients)
        first.apply(Quiet())
        one = infra_certificate.certificate_arn(clients)
        used.add(str(one))
        moved = replace(clients.target, settings=clients.target.settings.model_copy(update={"ingress": Ingress(domain="two.example.com")}))
        later = Clients(moved, aws=clients.aws, terraform=clients.terraform)
        second = infra_certificate.step(later)
        assert second.observe().state is State.DRIFTED
        second.apply(Quiet())
        two = infra_certificate.certificate_arn(later)
        assert two != one
        assert "an earlier one" in second.observe().evidence
        used.clear()
        second.apply(Quiet())
        assert second.observe().state is State.PRESENT
        assert infra_certificate.certificate_arn(later) == two
        assert second.destroy(Quiet()) == "certificate deleted"
        zone = clients.aws.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
        records = clients.aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        assert [record["Name"] for record in records if record["Type"] == "CNAME"] == []


def test_another_environments_certificate_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        clients.aws.client("acm").request_certificate(DomainName="x.example.com", Tags=[{"Key": "genai:environment", "Value": "other"}])
        assert certificate.find(clients.aws) is None


def test_without_tls_there_is_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, ingress={"tls": "none"}) as clients:
        assert infra_certificate.certificate_arn(clients) is None
        assert "infra.certificate" not in {step.id for step in infra.steps(clients)}


# -- state bucket, storage ------------------------------------------------------------------------
def test_the_state_bucket_is_made_private_and_versioned_and_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, terraform={"backend": "s3"}) as clients:
        step = StateStep(clients)
        assert step.observe().state is State.ABSENT
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        clients.aws.client("s3").put_bucket_versioning(Bucket="genai-state-123456789012", VersioningConfiguration={"Status": "Suspended"})
        assert step.observe().evidence == "genai-state-123456789012 lacks versioning"
        s3, key = clients.aws.client("s3"), clients.terraform.state.key("network")
        s3.delete_bucket_policy(Bucket="genai-state-123456789012")  # this AWS refuses everybody for it, TLS or not
        standing = {"resources": [{"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {}}]}]}
        s3.put_object(Bucket="genai-state-123456789012", Key=key, Body=json.dumps(standing))
        with pytest.raises(StepError, match="state of network"):
            step.destroy(Quiet())
        s3.put_object(Bucket="genai-state-123456789012", Key=key, Body='{"resources": []}')
        assert "deleted" in step.destroy(Quiet())
        assert step.observe().state is State.ABSENT


def test_who_holds_a_lock_in_the_state_bucket_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, terraform={"backend": "s3"}) as clients:
        state, s3 = clients.terraform.state, clients.aws.client("s3")
        assert state.holder("network") is None
        StateStep(clients).apply(Quiet())
        s3.delete_bucket_policy(Bucket="genai-state-123456789012")
        assert state.holder("network") is None
        lock = {"ID": "6f0b", "Operation": "OperationTypeApply", "Who": "me@here", "Created": "2026-01-02T03:04:05.6Z"}
        s3.put_object(Bucket="genai-state-123456789012", Key="genai/network.tfstate.tflock", Body=json.dumps(lock))
        assert state.holder("network") == {"ID": "6f0b", "Who": "me@here", "Created": "2026-01-02T03:04:05.6Z"}
    with world(tmp_path, monkeypatch) as clients:
        assert clients.terraform.state.holder("network") is None


def test_a_state_bucket_that_the_configuration_names_loses_our_states_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, terraform={"backend": "s3", "bucket": "everybodys-states"}) as clients:
        step = StateStep(clients)
        step.apply(Quiet())
        s3 = clients.aws.client("s3")
        s3.delete_bucket_policy(Bucket="everybodys-states")
        for key in (clients.terraform.state.key("network"), "another/network.tfstate"):
            s3.put_object(Bucket="everybodys-states", Key=key, Body='{"resources": []}')
        assert "everybodys-states stays" in step.destroy(Quiet())
        assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="everybodys-states")["Contents"]] == ["another/network.tfstate"]


def test_a_bucket_that_was_there_gets_what_it_lacks_and_keeps_its_own_policy_and_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch, terraform={"backend": "s3", "bucket": "everybodys-states"}) as clients:
        step, s3 = StateStep(clients), clients.aws.client("s3")
        s3.create_bucket(Bucket="everybodys-states", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::everybodys-states"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        s3.put_bucket_policy(Bucket="everybodys-states", Policy=policy)
        assert step.observe().evidence == "everybodys-states lacks versioning, public access block, encryption"
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        assert json.loads(s3.get_bucket_policy(Bucket="everybodys-states")["Policy"]) == json.loads(policy)
        with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
            s3.get_bucket_tagging(Bucket="everybodys-states")


@pytest.mark.parametrize(("down", "left"), [("everything", set()), ("keep-data", {"events/1", "backup/1"})])
def test_storage_is_emptied_with_all_versions_or_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: str, left: set[str]) -> None:
    with world(tmp_path, monkeypatch, lifecycle={"down": down}) as clients:
        roots: Any = clients.terraform
        roots.given["storage"] = {"langfuse_bucket": "lang", "clickhouse_bucket": "click", "secret_arn": "arn"}
        client = clients.aws.client("s3")
        for bucket in ("lang", "click"):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        client.put_bucket_versioning(Bucket="lang", VersioningConfiguration={"Status": "Enabled"})
        for _ in range(2):
            client.put_object(Bucket="lang", Key="events/1", Body=b"x")
        for key in ("disk/1", "backup/1"):
            client.put_object(Bucket="click", Key=key, Body=b"x")
        StorageStep(clients, "storage", (), 1, no_inputs).destroy(Quiet())
        found = {entry["Key"] for bucket in ("lang", "click") for entry in client.list_object_versions(Bucket=bucket).get("Versions", [])}
        assert found == left
        assert roots.calls == ([("destroy", "storage")] if down == "everything" else [])


def test_earlier_versions_and_broken_uploads_do_not_stay_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        roots: Any = clients.terraform
        roots.given["storage"] = {"langfuse_bucket": "lang", "clickhouse_bucket": "click", "secret_arn": "arn"}
        monkeypatch.setattr(roots, "observe", lambda root, variables: Observation(State.PRESENT, "as configured"))
        client = clients.aws.client("s3")
        for bucket in ("lang", "click"):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        step = StorageStep(clients, "storage", (), 1, no_inputs)
        assert step.observe() == Observation(State.DRIFTED, "lang, click: no lifecycle rule")
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        (rule,) = client.get_bucket_lifecycle_configuration(Bucket="lang")["Rules"]
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


# -- snapshots, Redis -----------------------------------------------------------------------------
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


class Impatient(Quiet):
    """Stops once it has heard what is waited for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        if self.said:
            raise Interrupted


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


class Group:
    """ElastiCache with one group that takes a token beside none first; it takes SET after ROTATE only, and no token twice."""

    class exceptions:
        class ReplicationGroupNotFoundFault(Exception): ...

    def __init__(self) -> None:
        self.strategies: list[str] = []
        self.tags: dict[str, str] = {}
        self.looks_until_settled = 0
        self.fails: str | None = None

    def describe_replication_groups(self, **_: Any) -> dict[str, Any]:
        self.looks_until_settled -= 1
        busy = self.looks_until_settled > 0
        status = "modifying" if busy else "available"
        group = {"ARN": "arn", "Status": status, "AuthTokenEnabled": bool(self.strategies)}
        return {"ReplicationGroups": [group | {"AuthTokenLastModifiedDate": f"moment {len(self.strategies)}"}]}

    def list_tags_for_resource(self, ResourceName: str) -> dict[str, Any]:
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags.items()]}

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        self._perhaps_end(f"tag {Tags[0]['Value'].split()[0]}")
        self.tags |= {tag["Key"]: tag["Value"] for tag in Tags}

    def modify_replication_group(self, **asked: Any) -> None:
        strategy = asked["AuthTokenUpdateStrategy"]
        assert (strategy == "SET") == (self.strategies[-1:] == ["ROTATE"]), f"{strategy} after {self.strategies}"
        self.strategies.append(strategy)
        self.looks_until_settled = 2
        self._perhaps_end(strategy)

    def _perhaps_end(self, action: str) -> None:
        """The run is ended here."""
        if self.fails == action:
            self.fails = None
            raise Interrupted


def redis(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> tuple[Group, RedisStep]:
    container(clients)
    SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
    group, real = Group(), clients.aws.client
    monkeypatch.setattr(clients.aws, "client", lambda name, region=None: group if name == "elasticache" else real(name, region))
    return group, RedisStep(clients, interval=0.01)


def test_redis_gets_its_token_and_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        assert step.observe().state is State.ABSENT
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]
        assert step.observe().state is State.PRESENT


@pytest.mark.parametrize("ended_at", ["ROTATE", "tag rotated", "SET", "tag set"])
def test_a_run_that_was_ended_sends_no_strategy_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_at: str) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        group.fails = ended_at
        with pytest.raises(Interrupted):
            step.apply(Quiet())
        group.looks_until_settled = 0
        assert step.observe().state is State.DRIFTED  # clients without a token may still come in
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]


def test_a_group_that_is_busy_with_something_else_keeps_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        step.apply(Quiet())
        group.looks_until_settled = 3
        assert step.observe().state is State.DRIFTED
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]


def test_what_cannot_be_seen_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError

    def broken(name: str, region: str | None = None) -> Any:
        raise EndpointConnectionError(endpoint_url="https://aws")

    with world(tmp_path, monkeypatch, terraform={"backend": "s3"}) as clients:
        monkeypatch.setattr(clients.aws, "_boto3", lambda: type("Session", (), {"client": staticmethod(broken)}))
        monkeypatch.setattr(clients.aws, "client", lambda name, region=None: _Refusing())
        assert {step.id: observe(step).state for step in infra.steps(clients)} == {step.id: State.UNKNOWN for step in infra.steps(clients)}


class _Refusing:
    """A client whose every call finds nobody there."""

    class exceptions:
        def __getattr__(self, name: str) -> Any:
            return type(name, (Exception,), {})

    exceptions = exceptions()  # type: ignore[assignment,misc]

    def __getattr__(self, name: str) -> Any:
        from botocore.exceptions import EndpointConnectionError

        def refuse(*_: Any, **__: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://aws")

        return refuse
