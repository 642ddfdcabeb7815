"""The audit: what is ours, what is owned, what could not be seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from genai_platform.audit import leftovers
from genai_platform.errors import StepError
from genai_platform.tools.aws import load_balancers
from genai_platform.tools.aws.leftovers import data, finders, identity, items, search
from genai_platform.tools.aws.leftovers.items import Scope
from tests.tools.aws_world import Quiet, world

OURS = {"genai:platform": "genai", "genai:environment": "default"}


@pytest.fixture(autouse=True)
def _without_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS in this process cannot list ElastiCache's parameter groups."""
    monkeypatch.setattr(search, "FINDERS", {name: finder for name, finder in finders.FINDERS.items() if name != "caches"})


def scope(**changes: Any) -> Scope:
    return Scope(**{"prefix": "genai", "region": "ap-northeast-1", "tags": OURS, "networks": frozenset({"vpc-1"}), **changes})


def tags(held: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in held.items()]


@pytest.mark.parametrize(
    ("held", "name", "network", "expected"),
    [
        (OURS, "", None, "tag"),
        ({"eks:eks-cluster-name": "genai"}, "", None, "cluster"),
        ({"eks:eks-cluster-name": "other"}, "", None, None),
        ({}, "", "vpc-1", "network"),
        ({}, "genai-cluster", None, "name"),
        ({}, "genai-dev-cluster", None, None),
        ({"genai:environment": "dev"}, "genai-cluster", "vpc-1", None),
    ],
)
def test_how_a_thing_is_recognised(held: dict[str, str], name: str, network: str | None, expected: str | None) -> None:
    assert scope().by(tags(held), name, network) == expected


def test_an_empty_account_has_nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        assert leftovers.audit(clients) == leftovers.Audit((), (), ())


def test_survivors_are_listed_with_cost_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        ec2 = clients.aws.client("ec2")
        volume = ec2.create_volume(
            AvailabilityZone="ap-northeast-1a", Size=20,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags({"eks:eks-cluster-name": "genai"})}],
        )["VolumeId"]  # fmt: skip
        ec2.create_volume(AvailabilityZone="ap-northeast-1a", Size=20)
        clients.aws.client("secretsmanager").create_secret(Name="genai/platform", Tags=tags(OURS))
        clients.aws.client("logs").create_log_group(logGroupName="/aws/eks/genai/cluster")
        found = {entry.kind: entry for entry in leftovers.audit(clients).leftovers}
        assert set(found) == {"ec2:volume", "secretsmanager:secret", "logs:log-group"}
        assert found["ec2:volume"].remove == f"aws ec2 delete-volume --volume-id {volume} --region ap-northeast-1"
        assert found["ec2:volume"].usd_per_hour > 0


def test_things_in_every_service_are_found_by_tag_and_by_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        client = clients.aws.client
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
        by_cluster = tags({"eks:eks-cluster-name": "genai"})
        client("s3").create_bucket(Bucket="left-behind", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        client("s3").put_bucket_tagging(Bucket="left-behind", Tagging={"TagSet": tags(OURS)})
        client("logs").create_log_group(logGroupName="left/behind", tags=OURS)
        client("logs").create_log_group(logGroupName="left/behind/not")
        key = client("kms").create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in OURS.items()])["KeyMetadata"]["KeyId"]
        client("iam").create_instance_profile(InstanceProfileName="eks-compute-1", Tags=by_cluster)
        client("iam").create_instance_profile(InstanceProfileName="eks-compute-2", Tags=tags({"eks:eks-cluster-name": "other"}))
        policy = client("iam").create_policy(PolicyName="genai-extra", PolicyDocument=document, Tags=tags(OURS))["Policy"]["Arn"]
        template = client("ec2").create_launch_template(
            LaunchTemplateName="left", LaunchTemplateData={"InstanceType": "t3.micro"},
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": by_cluster}],
        )["LaunchTemplate"]["LaunchTemplateId"]  # fmt: skip
        found = {entry.kind: entry for entry in leftovers.audit(clients).leftovers}
        assert {kind: entry.id for kind, entry in found.items()} == {
            "s3:bucket": "left-behind",
            "logs:log-group": "left/behind",
            "kms:key": key,
            "iam:instance-profile": "eks-compute-1",
            "iam:policy": policy,
            "ec2:launch-template": template,
        }
        client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        client("logs").delete_log_group(logGroupName="left/behind")
        assert {entry.kind for entry in leftovers.audit(clients).leftovers} == set(found) - {"kms:key", "logs:log-group"}


def test_what_is_listed_and_gone_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings remember for a while what was deleted; asked about one such thing, each service says so in its own way."""
    with world(tmp_path, monkeypatch) as clients:
        client = clients.aws.client
        client("secretsmanager").create_secret(Name="genai/platform", SecretString="x", Tags=tags(OURS))
        client("iam").create_role(RoleName="genai-cluster", AssumeRolePolicyDocument="{}", Tags=tags(OURS))
        client("s3").create_bucket(Bucket="genai-langfuse-0a0a0a", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        listed = {"list_secrets", "list_roles", "list_buckets"}
        real = items.pages
        answers = {name: list(real(clients.aws, service, name, key)) for service, name, key in (
            ("secretsmanager", "list_secrets", "SecretList"), ("iam", "list_roles", "Roles"), ("s3", "list_buckets", "Buckets"),
        )}  # fmt: skip
        client("secretsmanager").delete_secret(SecretId="genai/platform", ForceDeleteWithoutRecovery=True)
        client("iam").delete_role(RoleName="genai-cluster")
        client("s3").delete_bucket(Bucket="genai-langfuse-0a0a0a")

        def remembering(aws: Any, service: str, operation: str, entries: str, **arguments: Any) -> Any:
            return iter(answers[operation]) if operation in listed else real(aws, service, operation, entries, **arguments)

        for module in (data, identity):
            monkeypatch.setattr(module, "pages", remembering)
        assert leftovers.audit(clients) == leftovers.Audit((), (), ())


class Balancers:
    """Elastic Load Balancing, which tells nothing at all when it is asked about one that is gone."""

    gone = "b"

    def describe_tags(self, ResourceArns: list[str]) -> dict[str, Any]:
        if self.gone in ResourceArns:
            raise ClientError({"Error": {"Code": "LoadBalancerNotFound", "Message": "not there"}}, "DescribeTags")
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": tags(OURS)} for arn in ResourceArns]}


def test_tags_of_load_balancers_one_of_which_is_gone() -> None:
    assert [arn for arn, _ in load_balancers.tags_of(Balancers(), ["a", "b", "c"])] == ["a", "c"]
    assert list(load_balancers.tags_of(Balancers(), ["b"])) == []


def test_what_ec2_hides_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto Mode's machines, volumes and interfaces are left out of listings unless they are asked for."""
    asked: list[str] = []

    def hear(params: dict[str, Any], model: Any, **_: Any) -> None:
        if params.get("IncludeManagedResources"):
            asked.append(model.name)

    with world(tmp_path, monkeypatch) as clients:
        clients.aws.client("ec2").meta.events.register("provide-client-params.ec2.*", hear)
        leftovers.audit(clients)
    assert set(asked) == {"DescribeInstances", "DescribeVolumes", "DescribeNetworkInterfaces", "DescribeLaunchTemplates"}


def test_a_bucket_with_versions_is_removed_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        s3 = clients.aws.client("s3")
        s3.create_bucket(Bucket="genai-langfuse-0a0a0a", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        (plain,) = leftovers.audit(clients).leftovers
        s3.put_bucket_versioning(Bucket="genai-langfuse-0a0a0a", VersioningConfiguration={"Status": "Enabled"})
        (versioned,) = leftovers.audit(clients).leftovers
        assert plain.remove == "aws s3 rb --force s3://genai-langfuse-0a0a0a --region ap-northeast-1"
        assert versioned.remove.startswith("aws s3api list-object-versions --bucket genai-langfuse-0a0a0a ")
        assert "delete-object" in versioned.remove
        assert versioned.remove.endswith("; aws s3 rb s3://genai-langfuse-0a0a0a --region ap-northeast-1")


def test_without_the_tagging_service_the_rest_is_still_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> Any:
        raise StepError("the tagging service did not answer")

    with world(tmp_path, monkeypatch) as clients:
        clients.aws.client("logs").create_log_group(logGroupName="/aws/eks/genai/cluster")
        monkeypatch.setattr(search.items, "tagged", silent)
        found = leftovers.audit(clients)
        assert [entry.id for entry in found.leftovers] == ["/aws/eks/genai/cluster"]
        assert found.unseen == ("the tagging service did not answer",)


def test_what_a_state_owns_is_no_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        ec2 = clients.aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags(OURS)}])["Vpc"]["VpcId"]
        assert {entry.id for entry in leftovers.audit(clients).leftovers} == {vpc}
        place = tmp_path / "terraform" / "network"
        place.mkdir(parents=True)
        owned = {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {"id": vpc}}]}
        (place / "terraform.tfstate").write_text(json.dumps({"resources": [owned]}))
        assert leftovers.audit(clients).leftovers == ()


def test_a_damaged_state_accuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        clients.aws.client("secretsmanager").create_secret(Name="genai/platform", Tags=tags(OURS))
        place = tmp_path / "terraform" / "storage"
        place.mkdir(parents=True)
        (place / "terraform.tfstate").write_text("{")
        found = leftovers.audit(clients)
        assert found.leftovers == ()
        assert "damaged" in found.unseen[0]


def test_a_service_that_does_not_answer_is_said_and_never_waited_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> Any:
        raise StepError("could not list the volumes: AWS did not answer")

    with world(tmp_path, monkeypatch) as clients:
        monkeypatch.setattr(search, "FINDERS", {**search.FINDERS, "volumes": silent, "instances": silent})
        assert leftovers.audit(clients).unseen == ("could not list the volumes: AWS did not answer",) * 2
        with pytest.raises(StepError, match="did not answer"):
            search.wait_for_interfaces(clients.aws, Quiet(), 0)


def test_the_network_waits_for_the_interfaces_of_load_balancers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        ec2 = clients.aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags(OURS)}])["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        ec2.create_network_interface(SubnetId=subnet, Description="Interface for NAT Gateway nat-1")
        search.wait_for_interfaces(clients.aws, Quiet(), 0)
        left = ec2.create_network_interface(SubnetId=subnet, Description="ELB app/k8s-genai/1")["NetworkInterface"]["NetworkInterfaceId"]
        with pytest.raises(StepError, match=left):
            search.wait_for_interfaces(clients.aws, Quiet(), 0)


def test_the_retained_state_bucket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, terraform={"backend": "s3"}) as clients:
        place = {"LocationConstraint": "ap-northeast-1"}
        clients.aws.client("s3").create_bucket(Bucket="genai-state-123456789012", CreateBucketConfiguration=place)
        assert [line.split()[0] for line in leftovers.audit(clients).retained] == ["genai-state-123456789012"]
