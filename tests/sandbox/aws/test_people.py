"""IAM users on the stand-in: they sign with their own keys, may do what their policies allow, and can have it simulated."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from genai_platform.sandbox.aws.identity import ADMINISTRATOR, administrator, control_key
from genai_platform.steps.infra.prerequisites import permissions, preflight, quotas, taken_names
from genai_platform.steps.infra.prerequisites.actions import needs, policy
from tests.sandbox.aws.conftest import REGION, Cloud
from tests.sandbox.aws.test_lost_state import clients

ACCOUNT = "123456789012"


def person(cloud: Cloud, name: str, document: dict[str, Any]) -> dict[str, str]:
    """Make a user with a policy; the keys as AWS hands them out."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=json.dumps(document))
    made: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return made


def keys(made: dict[str, str]) -> dict[str, str]:
    return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}


def test_a_person_may_do_what_the_policies_allow_and_no_more(cloud: Cloud) -> None:
    allowed = {"Effect": "Allow", "Action": ["ec2:DescribeVpcs", "eks:ListClusters"], "Resource": "*"}
    own = keys(person(cloud, "reader", {"Version": "2012-10-17", "Statement": [allowed]}))
    assert cloud.client("sts", own).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/reader"
    cloud.client("ec2", own).describe_vpcs()
    cloud.client("eks", own).list_clusters()
    attempts = {
        "UnauthorizedOperation": lambda: cloud.client("ec2", own).describe_subnets(),
        "AccessDeniedException": lambda: cloud.client("eks", own).describe_cluster(name="any"),
        "AccessDenied": lambda: cloud.client("iam", own).list_users(),
    }
    for code, attempt in attempts.items():
        with pytest.raises(ClientError) as error:
            attempt()
        assert error.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        cloud.client("sts", {**own, "aws_secret_access_key": "x" * 40}).get_caller_identity()


def test_the_log_names_actions_and_who_asked(cloud: Cloud) -> None:
    before = cloud.log()[-1]["number"]
    cloud.client("eks").describe_cluster_versions()
    bucket = "log-names-actions"
    cloud.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    cloud.client("s3").delete_bucket(Bucket=bucket)
    fresh = [entry for entry in cloud.log() if entry["number"] > before]
    assert [entry["actions"] for entry in fresh] == [["eks:DescribeClusterVersions"], ["s3:CreateBucket"], ["s3:DeleteBucket"]]
    assert [entry["writing"] for entry in fresh] == [False, True, True]
    assert {entry["principal"] for entry in fresh} == {ADMINISTRATOR}


def test_the_product_looks_with_the_least_privilege_and_writes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    environment = "least"
    document = policy(needs(clients(cloud, tmp_path, environment).target, ACCOUNT))
    made = person(cloud, "least", document)
    own = clients(cloud, tmp_path, environment, {name: made[name] for name in ("AccessKeyId", "SecretAccessKey")})
    before = cloud.log()[-1]["number"]
    assert {one.state for one in permissions.look(own)} == {"pass"}
    assert {one.state for one in quotas.look(own)} == {"pass"}
    assert {one.state for one in taken_names.look(own)} == {"pass"}
    assert preflight.refuse(clients(cloud, tmp_path, environment)) == ""  # as the administrator
    assert [entry for entry in cloud.log() if entry["number"] > before and entry["writing"]] == []
    cloud.client("iam").delete_user_policy(UserName="least", PolicyName="given")
    (answer,) = permissions.look(own)
    assert (answer.state, "iam:SimulatePrincipalPolicy" in str(answer.remedy)) == ("unknown", True)


def test_a_session_cannot_be_simulated_and_a_wrong_action_is_refused(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    for asked, code in (
        ({"PolicySourceArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y", "ActionNames": ["ec2:DescribeVpcs"]}, "InvalidInput"),
        ({"PolicySourceArn": ADMINISTRATOR, "ActionNames": ["DescribeVpcs"]}, "InvalidInput"),
        ({"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/nobody", "ActionNames": ["ec2:DescribeVpcs"]}, "NoSuchEntity"),
    ):
        with pytest.raises(ClientError) as error:
            iam.simulate_principal_policy(**asked)
        assert error.value.response["Error"]["Code"] == code


def test_an_account_with_another_quota(cloud: Cloud) -> None:
    asked = {"region": "eu-west-1", "code": "L-0263D0A3", "value": 0}
    request = urllib.request.Request(
        cloud.layout.url("aws") + "/_sandbox/quotas",
        json.dumps(asked).encode(),
        {"Authorization": f"Bearer {control_key(cloud.layout)}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()
    admin = administrator(cloud.layout)
    there = boto3.client(
        "ec2",
        region_name="eu-west-1",
        endpoint_url=cloud.layout.url("aws"),
        aws_access_key_id=admin.access_key_id,
        aws_secret_access_key=admin.secret_access_key,
    )
    with pytest.raises(ClientError, match="AddressLimitExceeded"):
        there.allocate_address(Domain="vpc")
    ec2 = cloud.client("ec2")
    ec2.release_address(AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])
    found = {one["QuotaCode"]: one["Value"] for one in cloud.client("service-quotas").list_service_quotas(ServiceCode="vpc")["Quotas"]}
    assert found["L-F678F1CE"] == 5
    with pytest.raises(ClientError, match="NoSuchResource"):
        cloud.client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-00000000")
