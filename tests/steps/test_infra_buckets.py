"""The state bucket and the storage root's buckets against an AWS in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genai_platform.engine.step import Observation, State
from genai_platform.errors import StepError
from genai_platform.steps.infra.terraform import StateStep, StorageStep, no_inputs
from tests.tools.aws_world import Quiet, world


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
        assert state.holder("network") == {key: lock[key] for key in ("ID", "Who", "Created", "Operation")}
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
