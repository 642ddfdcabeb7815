"""The cluster's root with and without models of Amazon Bedrock, planned by Terraform on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from genai_platform.engine.step import Change
from genai_platform.errors import StepError
from genai_platform.render.bedrock import Invocable, policy
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import PLACEHOLDERS, target_variables
from genai_platform.tools.terraform import inventory
from tests.sandbox.aws.conftest import Cloud
from tests.sandbox.aws.test_lost_state import clients

POLICY = policy([Invocable("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0")])


@pytest.fixture(scope="module")
def found(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """Terraform is initialized once for all tests here."""
    return clients(cloud, tmp_path_factory.mktemp("rock"), "rock")


def planned(found: Clients, **variables: Any) -> list[Change]:
    changes = found.terraform.plan("cluster", target_variables(found.target) | dict(PLACEHOLDERS["cluster"]) | variables)
    return [one for one in changes if one.action != "none"]


def test_only_a_configured_model_gives_litellms_role_a_policy(found: Clients) -> None:
    without = planned(found)
    assert [one for one in without if "litellm" in one.object] == [Change("create", 'aws_iam_role.application["litellm"]')]
    more = planned(found, litellm_policy=POLICY)
    assert [one for one in more if one not in without] == [Change("create", "aws_iam_role_policy.litellm[0]")]
    assert [one for one in without if one not in more] == []


def test_a_policy_with_a_wildcard_is_refused(found: Clients) -> None:
    with pytest.raises(StepError, match="must name every action and resource in full"):
        planned(found, litellm_policy=str(POLICY).replace("us-east-1", "*"))


@pytest.fixture
def role(cloud: Cloud, found: Clients) -> Iterator[str]:
    """LiteLLM's role as Terraform makes it, with its policy."""
    iam, name = cloud.client("iam"), f"{found.target.prefix}-litellm"
    tags = [{"Key": key, "Value": value} for key, value in found.target.tags.items()]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=tags)
    iam.put_role_policy(RoleName=name, PolicyName="bedrock", PolicyDocument=POLICY)
    yield name
    iam.delete_role_policy(RoleName=name, PolicyName="bedrock")
    iam.delete_role(RoleName=name)


def test_a_policy_that_no_state_knows_is_found_with_its_role(found: Clients, role: str) -> None:
    """Else a lost state would leave it, and IAM deletes no role that has one."""
    things = {thing.address: thing.id for thing in inventory.look(found.aws, "cluster").things}
    assert things == {'aws_iam_role.application["litellm"]': role, "aws_iam_role_policy.litellm[0]": f"{role}:bedrock"}
