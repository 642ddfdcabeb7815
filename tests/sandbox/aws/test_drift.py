"""What somebody changed by hand is named by a look, one by one, and nothing else is changed by the next ``apply``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genai_platform.engine.step import Change, State
from genai_platform.steps.infra.data import DataStep, data_inputs
from genai_platform.steps.infra.terraform import PLACEHOLDERS, target_variables
from genai_platform.tools.terraform.events import Events
from genai_platform.tools.terraform.program import Command, Program
from tests.actions import unlisted
from tests.sandbox.aws.conftest import Cloud
from tests.sandbox.aws.test_lost_state import clients, storage
from tests.tools.aws_world import Quiet

SELECTED = {"target": ["aws_security_group.this"]}
"""The groups alone: databases take their time."""


def test_a_bucket_setting_a_policy_and_a_secret(cloud: Cloud, tmp_path: Path) -> None:
    found = clients(cloud, tmp_path, "byhand")
    step, s3 = storage(found), cloud.client("s3")
    step.apply(Quiet())
    made, secret = found.storage(), f"{found.target.prefix}/platform"
    s3.put_bucket_versioning(Bucket=made.langfuse_bucket, VersioningConfiguration={"Status": "Suspended"})
    policy = json.loads(s3.get_bucket_policy(Bucket=made.clickhouse_bucket)["Policy"])
    policy["Statement"][0]["Sid"] = "Edited"
    s3.put_bucket_policy(Bucket=made.clickhouse_bucket, Policy=json.dumps(policy))
    cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)

    seen = step.observe()
    assert seen.state is State.DRIFTED
    assert all(one.object in seen.evidence for one in seen.changes if one.action != "none")
    assert {one for one in seen.changes if one.action != "none"} == {
        Change("update", "aws_s3_bucket_versioning.langfuse"),
        Change("update", 'aws_s3_bucket_policy.this["clickhouse"]'),
        Change("create", "aws_secretsmanager_secret.platform"),
    }
    assert step.apply(Quiet()) == "1 added, 2 changed, 0 removed"
    for bucket in (made.langfuse_bucket, made.clickhouse_bucket):
        s3.delete_bucket(Bucket=bucket)
    cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def test_a_rule_of_a_security_group(cloud: Cloud, tmp_path: Path) -> None:
    """The rules of the databases' groups are all that the configuration names: an open port does not stay unseen."""
    earlier = max((entry["number"] for entry in cloud.log()), default=0)
    found, ec2 = clients(cloud, tmp_path, "rules"), cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    variables = target_variables(found.target) | dict(PLACEHOLDERS["data"]) | {"vpc_id": vpc}
    terraform = Program(found.target, found.aws)
    folder = terraform.prepare("data", variables, None, None)

    def apply() -> str:
        heard = Events("data", None)
        terraform.run(folder, Command("apply", 300, options={"auto_approve": True, **SELECTED}), None, heard)
        return heard.summary()

    def groups() -> dict[str, Any]:
        there = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
        return {one["GroupName"]: one for one in there if one["GroupName"] != "default"}

    def allowed(name: str) -> set[tuple[int, str]]:
        return {(rule["FromPort"], entry["CidrIp"]) for rule in groups()[name]["IpPermissions"] for entry in rule["IpRanges"]}

    assert apply() == "2 added, 0 changed, 0 removed"
    group = groups()["genai-rules-postgres"]
    everybody = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **everybody}]
    )
    ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=[{"IpProtocol": "-1", **everybody}])

    heard = Events("data", None)
    terraform.run(folder, Command("plan", 300, options={"detailed_exitcode": True, **SELECTED}), None, heard)
    assert [one for one in heard.changes if one.action != "none"] == [Change("update", 'aws_security_group.this["postgres"]')]
    assert apply() == "0 added, 1 changed, 0 removed"
    assert allowed("genai-rules-postgres") == {(5432, "10.0.0.0/24"), (5432, "10.0.1.0/24")}
    assert allowed("genai-rules-redis") == {(6379, "10.0.0.0/24"), (6379, "10.0.1.0/24")}
    assert [one["IpPermissionsEgress"] for one in groups().values()] == [[], []]

    # The root reads the database's password, and goes though somebody has deleted the secret.
    assert found.aws.secret_document() is None
    DataStep(found, "data", (), 10, data_inputs).destroy(Quiet())
    assert groups() == {}
    assert unlisted(entry for entry in cloud.log() if entry["number"] > earlier) == set()
    ec2.delete_vpc(VpcId=vpc)
