"""The tags of the VPC, in an AWS of this process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from genai_platform.steps.clients import Clients
from genai_platform.tools.aws import lifetime
from genai_platform.tools.aws.lifetime import Lifetime
from tests.tools import aws_world

ENDS = Lifetime(datetime(2027, 3, 31, 9, tzinfo=UTC), datetime(2027, 3, 31, 1, tzinfo=UTC), "taro@desk")


def vpc(clients: Clients, environment: str = "default") -> str:
    tags = clients.target.tags | {"genai:environment": environment}
    ec2 = clients.aws.client("ec2")
    made = ec2.create_vpc(
        CidrBlock="10.0.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}],
    )
    return str(made["Vpc"]["VpcId"])


def test_it_is_kept_on_this_environments_vpc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_world.world(tmp_path, monkeypatch) as clients:
        other = vpc(clients, "other")
        assert lifetime.read(clients.aws) is None
        assert lifetime.write(clients.aws, ENDS) is False
        vpc(clients)
        assert lifetime.read(clients.aws) == Lifetime()
        assert lifetime.write(clients.aws, ENDS) is True
        assert lifetime.read(clients.aws) == ENDS
        tags = clients.aws.client("ec2").describe_vpcs(VpcIds=[other])["Vpcs"][0]["Tags"]
        assert {tag["Key"] for tag in tags} == {"genai:platform", "genai:environment"}


def test_what_a_person_wrote_there_is_unknown_and_not_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_world.world(tmp_path, monkeypatch) as clients:
        tags = [{"Key": "genai:ends", "Value": "tonight"}, {"Key": "genai:started", "Value": "2027-03-31"}]
        clients.aws.client("ec2").create_tags(Resources=[vpc(clients)], Tags=tags)
        assert lifetime.read(clients.aws) == Lifetime(None, datetime(2027, 3, 31, tzinfo=UTC), None)
