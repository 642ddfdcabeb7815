"""What is taken over from AWS, and what is refused: what could be somebody else's, what would be replaced, what is not clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.tools.terraform import takeover as terraform_takeover
from genai_platform.tools.terraform.client import Terraform
from tests.tools.aws_world import Quiet, world

OURS = {"genai:platform": "genai", "genai:environment": "default"}


def plan(actions: list[str], held: dict[str, str], *, importing: bool = True) -> dict[str, Any]:
    """What ``terraform show -json`` says of one network that exists."""
    change = {"actions": actions, "before": {"id": "vpc-1", "tags_all": held}, "importing": {"id": "vpc-1"} if importing else None}
    return {"resource_changes": [{"address": "aws_vpc.this", "change": change}]}


@pytest.mark.parametrize("actions", [["no-op"], ["update"]])
def test_what_carries_this_environments_tags_is_taken_over(actions: list[str]) -> None:
    terraform_takeover.refuse("network", plan(actions, {**OURS, "cost": "42"}), OURS)


@pytest.mark.parametrize("held", [{}, {**OURS, "genai:environment": "other"}])
def test_what_does_not_is_somebody_elses(held: dict[str, str]) -> None:
    with pytest.raises(StepError, match=r"aws_vpc\.this: 'vpc-1' exists already and does not carry") as refused:
        terraform_takeover.refuse("network", plan(["update"], held), OURS)
    assert refused.value.id == "terraform.foreign"


@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"], ["delete"]])
@pytest.mark.parametrize("importing", [True, False])
def test_what_would_be_replaced_may_be_in_use(actions: list[str], importing: bool) -> None:
    with pytest.raises(StepError, match=r"aws_vpc\.this: 'vpc-1' exists already, and would have to be replaced") as refused:
        terraform_takeover.refuse("network", plan(actions, OURS, importing=importing), OURS)
    assert "genai audit" in str(refused.value.remedy)


def test_of_two_that_could_be_meant_none_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        tags = [{"Key": name, "Value": value} for name, value in {**OURS, "Name": "genai"}.items()]
        made = [
            clients.aws.client("ec2").create_vpc(
                CidrBlock=f"10.{number}.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}]
            )["Vpc"]["VpcId"]
            for number in range(2)
        ]  # fmt: skip
        terraform = Terraform(clients.target, clients.aws)
        found = terraform.observe("network", dict)
        assert (found.state, "2 resources with this environment's tags exist" in found.evidence) == (State.DRIFTED, True)
        with pytest.raises(StepError) as refused:
            terraform.recover("network", dict, Quiet())
        assert all(id in refused.value.message for id in made)
        assert "genai audit" in str(refused.value.remedy)
        assert terraform.recover("network", dict, Quiet(), strict=False) == [], "a removal leaves them to the audit"
