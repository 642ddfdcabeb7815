"""Whether there is room in the account for what is still to be made, and whether its names can be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from genai_platform.advice import typed
from genai_platform.config.files import shipped
from genai_platform.errors import MissingError
from genai_platform.sandbox.aws import quotas as stand_in
from genai_platform.steps.infra.prerequisites import preflight, quotas, taken_names
from genai_platform.steps.infra.prerequisites.actions import bucket_names
from genai_platform.steps.infra.prerequisites.answer import Answer
from tests.steps.infra_account import ACCOUNT, account

REGION = "ap-northeast-1"


def by_id(found: list[Answer]) -> dict[str, Answer]:
    return {one.id: one for one in found}


def refused(operation: str, code: str = "AccessDeniedException") -> Any:
    def ask(**asked: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "not you"}}, operation)

    return ask


def test_an_account_with_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        answers = by_id(quotas.look(found.clients))
        assert {one.state for one in answers.values()} == {"pass"}
        assert "1 of 5 used, 1 more needed" in answers["quota.networks"].text  # moto has the default VPC
        assert "0 of 5 used, 1 more needed" in answers["quota.addresses"].text


def test_full_quotas_are_told_with_the_request_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch, network={"zones": 3, "nat": "per-zone"}) as found:
        ec2 = found.aws.client("ec2")
        for _ in range(3):
            ec2.allocate_address(Domain="vpc")
        for number in range(4):
            ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
        stand_in.apply(REGION, stand_in.VCPUS, 5)  # as a new account has
        answers = by_id(quotas.look(found.clients))
        full = {id: str(one.remedy) for id, one in answers.items() if one.state == "fail"}
        assert set(full) == {"quota.addresses", "quota.networks"}
        assert "--service-code ec2 --quota-code L-0263D0A3 --desired-value 6" in full["quota.addresses"]
        assert "--service-code vpc --quota-code L-F678F1CE --desired-value 6" in full["quota.networks"]
        with pytest.raises(ClientError, match="VpcLimitExceeded"):
            ec2.create_vpc(CidrBlock="10.9.0.0/16")
        with pytest.raises(MissingError, match="2 problems must be fixed first"):
            preflight.refuse(found.clients)


def test_an_estimate_that_exceeds_a_quota_is_told_and_refuses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        stand_in.apply(REGION, stand_in.VCPUS, 5)  # as a new account has
        assert by_id(quotas.look(found.clients))["quota.vcpus"].state == "warn"
        told = typed(preflight.refuse(found.clients))
        assert "0 of 5 used, and 8 more needed" in told
        assert "--quota-code L-1216C47A --desired-value 8" in told


def test_what_this_environment_has_already_is_not_needed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        ec2 = found.aws.client("ec2")
        tags = [{"Key": key, "Value": value} for key, value in found.clients.target.tags.items()]
        mine = lambda kind: [{"ResourceType": kind, "Tags": tags}]  # noqa: E731
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=mine("vpc"))["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=found.aws.zones()[0])["Subnet"]["SubnetId"]
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=mine("elastic-ip"))["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=mine("natgateway"))
        for code in (stand_in.ADDRESSES, stand_in.NAT_GATEWAYS):
            stand_in.apply(REGION, code, 1)
        stand_in.apply(REGION, stand_in.VPCS, 2)
        answers = by_id(quotas.look(found.clients))
        assert {answers[f"quota.{name}"].state for name in ("networks", "addresses", "nat_gateways")} == {"pass"}


def test_a_quota_that_may_not_be_asked_for_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        monkeypatch.setattr(found.aws.client("service-quotas"), "get_service_quota", refused("GetServiceQuota"))
        answers = quotas.look(found.clients)
        assert {one.state for one in answers} == {"unknown"}
        assert all("GetServiceQuota" in str(one.remedy) for one in answers)


def test_a_service_of_quotas_that_does_not_answer_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        monkeypatch.setattr(found.aws.client("service-quotas"), "get_service_quota", refused("GetServiceQuota", "InternalFailure"))
        assert {one.state for one in quotas.look(found.clients)} == {"unknown"}
        preflight.refuse(found.clients)


def test_names_that_are_free_or_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        first, second = bucket_names(found.clients.target, ACCOUNT)
        found.aws.client("s3").create_bucket(Bucket=first, CreateBucketConfiguration={"LocationConstraint": REGION})
        answers = by_id(taken_names.look(found.clients))
        assert {id: one.state for id, one in answers.items()} == {"name.buckets": "pass", "name.secrets": "pass"}
        assert answers["name.buckets"].text == f"{first} is ours; {second} is free"


def test_the_buckets_names_are_those_that_terraform_gives() -> None:
    root = (shipped("terraform") / "storage" / "main.tf").read_text("utf-8")
    assert 'substr(sha256("${data.aws_caller_identity.current.account_id}/${var.region}"), 0, 6)' in root
    assert '"${var.prefix}-${each.key}-${local.suffix}"' in root
    assert 'toset(["langfuse", "clickhouse"])' in root


def test_a_bucket_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        s3 = found.aws.client("s3")
        monkeypatch.setattr(s3, "head_bucket", refused("HeadBucket", "403"))
        answer = taken_names.buckets(found.clients)
        assert answer.state == "fail"
        assert "is taken by another account" in answer.text
        assert "--env" in str(answer.remedy)
        monkeypatch.setattr(s3, "list_buckets", refused("ListBuckets", "AccessDenied"))
        monkeypatch.setattr(s3, "can_paginate", lambda operation: False)
        assert taken_names.buckets(found.clients).state == "unknown"


def test_a_secret_that_is_scheduled_for_deletion_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        manager, name = found.aws.client("secretsmanager"), found.aws.secret_name
        manager.create_secret(Name=name, SecretString="{}")
        assert taken_names.secrets(found.clients).text == f"{name} is there"
        manager.delete_secret(SecretId=name)
        answer = taken_names.secrets(found.clients)
        assert answer.state == "fail"
        assert f"restore-secret --region {REGION} --secret-id {name}" in str(answer.remedy)
        with pytest.raises(MissingError, match="keeps its name"):
            preflight.refuse(found.clients)
