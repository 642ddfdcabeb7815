"""Terraform on the stand-in when its state is lost, behind, or was never stored: nothing is made a second time."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from genai_platform.cli import disk_space
from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.sandbox.aws.identity import administrator
from genai_platform.sandbox.endpoints import closed_variables
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import PLACEHOLDERS, NetworkStep, RootStep, StorageStep, network_inputs, no_inputs
from genai_platform.tools.terraform import credentials_watch as terraform_watch
from tests.actions import unlisted
from tests.sandbox.aws.conftest import REGION, Cloud
from tests.tools.aws_world import MODELS, Quiet

SETTINGS = {"platform": {"region": REGION}, "litellm": {"models": MODELS}}


def clients(cloud: Cloud, folder: Path, environment: str, session: Mapping[str, str] | None = None, **settings: Any) -> Clients:
    """Clients of the product for the stand-in, with a folder of states of their own; default: as its administrator."""
    key = administrator(cloud.layout)
    own = session or {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
    endpoints = Endpoints(
        aws=AwsEndpoints(
            url=cloud.layout.url("aws"),
            access_key_id=own["AccessKeyId"],
            secret_access_key=own["SecretAccessKey"],
            session_token=own.get("SessionToken"),
        ),
        environment_variables=closed_variables(),
    )
    return Clients(Target(environment, Settings.model_validate({**SETTINGS, **settings}), endpoints, folder))


def network(found: Clients) -> NetworkStep:
    return NetworkStep(found, "network", (), 3, network_inputs)


def cluster(found: Clients) -> RootStep:
    return RootStep(found, "cluster", (), 12, lambda _: PLACEHOLDERS["cluster"])


def storage(found: Clients) -> StorageStep:
    return StorageStep(found, "storage", (), 1, no_inputs)


def counted(cloud: Cloud, environment: str) -> dict[str, int]:
    """How many of each kind of thing carry the environment's tag."""
    ec2, mine = cloud.client("ec2"), [{"Name": "tag:genai:environment", "Values": [environment]}]
    return {
        "networks": len(ec2.describe_vpcs(Filters=mine)["Vpcs"]),
        "subnets": len(ec2.describe_subnets(Filters=mine)["Subnets"]),
        "addresses": len(ec2.describe_addresses(Filters=mine)["Addresses"]),
        "gateways": len([one for one in ec2.describe_nat_gateways(Filter=mine)["NatGateways"] if one["State"] != "deleted"]),
        "tables": len(ec2.describe_route_tables(Filters=mine)["RouteTables"]),
        "endpoints": len([one for one in ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"] if one["State"] != "deleted"]),
    }


class Told(Quiet):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


NOTHING = dict.fromkeys(("networks", "subnets", "addresses", "gateways", "tables", "endpoints"), 0)


def test_a_network_whose_state_is_lost_is_taken_over_and_goes(cloud: Cloud, tmp_path: Path) -> None:
    earlier = max((entry["number"] for entry in cloud.log()), default=0)
    before = network(clients(cloud, tmp_path / "a", "lost"))
    assert before.observe().state is State.ABSENT
    before.apply(Quiet())
    made = counted(cloud, "lost")
    assert made["networks"] == made["gateways"] == 1

    other = network(clients(cloud, tmp_path / "d", "lost", network={"cidr": "10.9.0.0/16"}))
    with pytest.raises(StepError, match="exists already, and would have to be replaced"):
        other.apply(Quiet())
    assert counted(cloud, "lost") == made

    elsewhere = network(clients(cloud, tmp_path / "b", "lost"))
    seen = elsewhere.observe()
    assert seen.state is State.DRIFTED
    assert "no state knows them" in seen.evidence
    told = elsewhere.apply(Quiet())
    assert counted(cloud, "lost") == made
    assert "taken over" in told

    assert (before.glance().state, elsewhere.glance().state) == (State.PRESENT, State.PRESENT)
    ec2 = cloud.client("ec2")
    mine = [{"Name": "tag:genai:environment", "Values": ["lost"]}, {"Name": "tag:Name", "Values": ["genai-lost-s3"]}]
    (endpoint,) = ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    seen = elsewhere.glance()
    assert (seen.state, "1 of 20 resources are gone" in seen.evidence, "aws_vpc_endpoint.s3" in seen.evidence) == (
        State.DRIFTED,
        True,
        True,
    )

    third = network(clients(cloud, tmp_path / "c", "lost"))
    third.destroy(Quiet())
    assert counted(cloud, "lost") == NOTHING
    assert unlisted(entry for entry in cloud.log() if entry["number"] > earlier) == set()


def test_what_has_the_name_and_not_the_tags_stays_somebody_elses(cloud: Cloud, tmp_path: Path) -> None:
    iam = cloud.client("iam")
    iam.create_role(RoleName="genai-named-cluster", AssumeRolePolicyDocument="{}")
    step = cluster(clients(cloud, tmp_path, "named"))
    with pytest.raises(StepError, match="'genai-named-cluster' exists already and does not carry this environment's tags"):
        step.apply(Quiet())
    step.destroy(Quiet())
    assert [one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("genai-named-")] == ["genai-named-cluster"]
    iam.delete_role(RoleName="genai-named-cluster")


def test_a_full_disk_does_not_keep_what_costs(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], check=True)
    try:
        disk_space.reserve(folder)
        step = storage(clients(cloud, folder, "full"))
        step.apply(Quiet())
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(disk_space.MEGABYTE))
        disk_space.release(folder, Quiet())  # type: ignore[arg-type]
        step.destroy(Quiet())
        assert step.observe().state is State.ABSENT
    finally:
        subprocess.run(["umount", folder], check=True)


BUCKET = {"terraform": {"backend": "s3", "bucket": "everybodys-states"}}


def test_credentials_that_end_in_the_middle_of_a_run_lose_nothing(cloud: Cloud, tmp_path: Path) -> None:
    s3, iam = cloud.client("s3"), cloud.client("iam")
    s3.create_bucket(Bucket="everybodys-states", CreateBucketConfiguration={"LocationConstraint": REGION})
    dying = cluster(clients(cloud, tmp_path, "late", cloud.session(after="iam:CreateRole"), **BUCKET))
    with pytest.raises(StepError) as ended:
        dying.apply(Quiet())
    assert "sign in again" in ended.value.remedy
    left = tmp_path / "terraform" / "cluster" / "errored.tfstate"
    assert left.exists()
    assert s3.head_object(Bucket="everybodys-states", Key="genai-late/cluster.tfstate.tflock")
    assert [one for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("genai-late-")]

    again = cluster(clients(cloud, tmp_path, "late", **BUCKET))
    seen = again.observe()
    assert (seen.state, str(left) in seen.evidence) == (State.DRIFTED, True)
    assert left.exists(), "a look stores nothing"
    told = Told()
    again.destroy(told)
    assert not left.exists()
    assert [text.split(":")[0].split(" (")[0] for text in told.said if text.startswith(("releasing", "storing", "taking"))] == [
        "releasing the lock of a run that has ended",
        "storing the state that an earlier run could not store",
    ]
    assert not [one for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("genai-late-")]


def test_a_terraform_whose_credentials_have_ended_is_stopped(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # EC2's word for ended credentials is one that the provider tries again for more than nine minutes.
    monkeypatch.setattr(terraform_watch, "EVERY", 1.0)
    dying = network(clients(cloud, tmp_path, "ended", cloud.session(after="ec2:CreateVpc")))
    with pytest.raises(StepError) as ended:
        dying.apply(Quiet())
    assert "credentials have ended while terraform was at work" in ended.value.message
    assert "sign in again" in ended.value.remedy

    again = network(clients(cloud, tmp_path, "ended"))
    again.destroy(Quiet())
    assert counted(cloud, "ended") == NOTHING
