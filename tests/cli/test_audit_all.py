"""``genai audit --all``: every environment of an account, with nothing local but credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from genai_platform.cli import app as cli
from genai_platform.tools.aws.leftovers import finders, search
from tests import schemas
from tests.cli.conftest import Answer

REGIONS = ("--region", "ap-northeast-1", "--region", "eu-central-1")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An account, a folder without a configuration, and nobody signed in to Azure."""
    for name in [name for name in os.environ if name.startswith(("GENAI_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "FINDERS", {name: finder for name, finder in finders.FINDERS.items() if name != "caches"})
    with mock_aws():
        yield tmp_path


def genai(*words: str) -> Answer:
    result = CliRunner().invoke(cli.app, ["audit", "--all", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    answer = Answer(result.exit_code, result.stdout, result.stderr)
    if "--json" in words:
        schemas.valid(("audit",), answer.document)
    return answer


def tags(platform: str, environment: str, **more: str) -> list[dict[str, str]]:
    held = {"genai:platform": platform, "genai:environment": environment, **{key.replace("_", ":"): value for key, value in more.items()}}
    return [{"Key": key, "Value": value} for key, value in held.items()]


def network(region: str, held: list[dict[str, str]]) -> None:
    ec2 = boto3.client("ec2", region)
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": held}])
    ec2.create_volume(AvailabilityZone=f"{region}a", Size=100, TagSpecifications=[{"ResourceType": "volume", "Tags": held}])


def found(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["platform"], one["environment"]): one for one in document["environments"]}


def test_environments_of_others_are_found_with_owner_end_and_cost(account: Path) -> None:
    lasting = {"genai_started": "2026-01-31T08:00:00Z", "genai_started-by": "taro@desk", "genai_ends": "2026-01-31T18:00:00Z"}
    network("ap-northeast-1", tags("genai", "default", **lasting))
    network("eu-central-1", tags("demo", "work", Owner="hana@example.com"))
    boto3.client("secretsmanager", "eu-central-1").create_secret(Name="kept/platform", Tags=tags("kept", "default"))
    boto3.client("ec2", "eu-central-1").create_vpc(CidrBlock="10.1.0.0/16")
    answer = genai("--json", "--no-azure", *REGIONS)
    assert answer.code == 0, answer.err
    seen = found(answer.document)
    assert set(seen) == {("genai", "default"), ("demo", "work"), ("kept", "default")}
    first = seen["genai", "default"]
    assert (first["regions"], first["started"], first["owner"]) == (["ap-northeast-1"], "2026-01-31T08:00:00Z", "taro@desk")
    assert (first["ends"], first["over"], first["resources"]) == ("2026-01-31T18:00:00Z", True, 2)
    assert first["usd_per_hour"] > 0
    assert (seen["demo", "work"]["owner"], seen["demo", "work"]["ends"]) == ("hana@example.com", None)
    kept = seen["kept", "default"]
    assert (kept["regions"], kept["owner"], kept["resources"]) == (["eu-central-1"], None, 1)
    assert kept["started"] is not None  # when the secret was made
    assert list(account.iterdir()) == []  # nothing is written on this machine


def test_an_environment_that_is_gone_is_not_listed(account: Path) -> None:
    network("eu-central-1", tags("genai", "default"))
    ec2 = boto3.client("ec2", "eu-central-1")
    for volume in ec2.describe_volumes()["Volumes"]:
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    for vpc in ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": ["genai:platform"]}])["Vpcs"]:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    answer = genai("--no-azure", *REGIONS)
    assert answer.code == 0
    assert "no environment in AWS account 123456789012" in answer.out


def test_what_cannot_be_looked_at_is_said_and_proves_nothing(account: Path) -> None:
    network("ap-northeast-1", tags("genai", "default"))
    answer = genai("--json", "--region", "ap-northeast-1")
    assert answer.code == 1
    assert set(found(answer.document)) == {("genai", "default")}
    assert any("`az` is not signed in" in line for line in answer.document["unseen"])


def test_another_account_than_the_pinned_one_is_refused(account: Path) -> None:
    (account / "genai.toml").write_text('[aws]\naccount_id = "210987654321"\n')
    answer = genai("--json", "--no-azure", *REGIONS)
    assert (answer.code, answer.document["error"]["id"]) == (2, "aws.account")


def test_where_to_look_is_an_option_of_all() -> None:
    result = CliRunner().invoke(cli.app, ["audit", "--region", "eu-central-1"])
    assert result.exit_code == 2
    assert "--all" in result.stderr
