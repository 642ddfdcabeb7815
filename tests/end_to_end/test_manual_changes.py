"""A day of changes by hand: a look names exactly these, and the next ``up`` changes exactly these."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.end_to_end.conftest import Platform, Result

PREFIX = "genai-sandbox"
PULL = "AmazonEC2ContainerRegistryPullOnly"


def _deleted_secret(platform: Platform) -> None:
    platform.kubectl("delete", "secret", "litellm")


def _scaled_deployment(platform: Platform) -> None:
    platform.kubectl("scale", "deployment/litellm", "--replicas=2")


def _edited_policy(platform: Platform) -> None:
    iam = platform.aws("iam")
    role = {"RoleName": f"{PREFIX}-langfuse"}
    (name,) = iam.list_role_policies(**role)["PolicyNames"]
    document = iam.get_role_policy(**role, PolicyName=name)["PolicyDocument"]
    wider = json.dumps(document).replace('"s3:GetObject"', '"s3:*"')
    iam.put_role_policy(**role, PolicyName=name, PolicyDocument=wider)


def _detached_role(platform: Platform) -> None:
    platform.aws("iam").detach_role_policy(RoleName=f"{PREFIX}-node", PolicyArn=f"arn:aws:iam::aws:policy/{PULL}")


def _bucket_setting(platform: Platform) -> None:
    s3 = platform.aws("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "langfuse" in one["Name"])
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def _security_group_rule(platform: Platform) -> None:
    ec2 = platform.aws("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{PREFIX}-redis"]}])["SecurityGroups"]
    everybody = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[everybody])


CHANGES: dict[Callable[[Platform], None], tuple[str, str]] = {
    _bucket_setting: ("infra.storage", "aws_s3_bucket_versioning.langfuse"),
    _security_group_rule: ("infra.data", 'aws_security_group.this["redis"]'),
    _edited_policy: ("infra.cluster", 'aws_iam_role_policy.bucket["langfuse"]'),
    _detached_role: ("infra.cluster", f'aws_iam_role_policy_attachment.node["{PULL}"]'),
    _deleted_secret: ("litellm.config", "Secret litellm"),
    _scaled_deployment: ("litellm.proxy", "Deployment litellm"),
}
"""What somebody does, and the step and object in which it is seen."""
STEPS = {step for step, _ in CHANGES.values()}


def _planned(result: Result) -> set[tuple[str, str]]:
    return {(one["step"], one["object"]) for one in result.document["changes"] if one["action"] != "none"}


def test_each_is_named_and_nothing_else_is_changed(platform: Platform) -> None:
    for change in CHANGES:
        change(platform)
    assert _planned(platform.run("plan")) == set(CHANGES.values())
    made = platform.up()
    assert {id for id, step in made.steps.items() if step["outcome"] != "present"} == STEPS, str(made)
    # That all is present afterwards is read off the next report of ``verify``.
