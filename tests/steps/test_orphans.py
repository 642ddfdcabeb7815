"""What the cluster's controllers left in AWS: removed inside our own network and cluster, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import orphans
from genai_platform.steps.infra.terraform import NetworkStep, no_inputs
from tests.tools.aws_world import Quiet, world

OURS = {"genai:platform": "genai", "genai:environment": "default"}
CLUSTER = {"eks:eks-cluster-name": "genai"}


def tags(held: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in held.items()]


class Land:
    """Our network and somebody else's, with two subnets each."""

    def __init__(self, clients: Clients) -> None:
        self.ec2, self.elb, self.iam = (clients.aws.client(name) for name in ("ec2", "elbv2", "iam"))
        self.ours, self.theirs = self._network("10.0", OURS), self._network("10.1", {})

    def _network(self, start: str, held: dict[str, str]) -> tuple[str, list[str]]:
        spec = [{"ResourceType": "vpc", "Tags": tags(held)}] if held else []
        vpc = self.ec2.create_vpc(CidrBlock=f"{start}.0.0/16", TagSpecifications=spec)["Vpc"]["VpcId"]
        return vpc, [
            self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"{start}.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}",
                TagSpecifications=[{"ResourceType": "subnet", "Tags": tags(held or {"a": "b"})}],
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ac")
        ]  # fmt: skip

    def balancer(self, name: str, network: tuple[str, list[str]], held: dict[str, str]) -> str:
        made = self.elb.create_load_balancer(Name=name, Subnets=network[1], Tags=tags(held or {"a": "b"}))
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def balancers(self) -> set[str]:
        return {one["LoadBalancerName"] for one in self.elb.describe_load_balancers()["LoadBalancers"]}

    def group(self, name: str, network: tuple[str, list[str]], held: dict[str, str], admits: str = "") -> str:
        spec = [{"ResourceType": "security-group", "Tags": tags(held or {"a": "b"})}]
        made = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=network[0], TagSpecifications=spec)["GroupId"]
        if admits:
            rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": admits}]}
            self.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
        return str(made)

    def groups(self) -> set[str]:
        return {one["GroupName"] for one in self.ec2.describe_security_groups()["SecurityGroups"]} - {"default"}

    def admitted(self, name: str) -> list[dict[str, Any]]:
        """The rules of a group."""
        filters = [{"Name": "group-name", "Values": [name]}]
        return list(self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["IpPermissions"])

    def profile(self, name: str, held: dict[str, str]) -> None:
        self.iam.create_instance_profile(InstanceProfileName=name, Tags=tags(held))

    def profiles(self) -> set[str]:
        return {one["InstanceProfileName"] for one in self.iam.list_instance_profiles()["InstanceProfiles"]}

    def machine(self, held: dict[str, str]) -> str:
        spec = [{"ResourceType": "instance", "Tags": tags(held)}]
        run = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=self.ours[1][0], TagSpecifications=spec)
        return str(run["Instances"][0]["InstanceId"])


class Impatient(Quiet):
    """Somebody who is not to wait."""

    def say(self, text: str) -> None:
        raise AssertionError(text)


def state(clients: Clients, root: str) -> None:
    """Something is written down in the state of a root."""
    place = clients.target.folder / "terraform" / root
    place.mkdir(parents=True)
    owned = {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {"id": "vpc-0"}}]}
    (place / "terraform.tfstate").write_text(json.dumps({"resources": [owned]}))


def test_balancers_and_groups_without_an_owner_go_in_our_network_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        land.balancer("by-hand", land.ours, {})
        land.balancer("by-cluster", land.ours, CLUSTER)
        land.balancer("by-another", land.ours, {"genai:platform": "genai", "genai:environment": "other"})
        land.balancer("elsewhere", land.theirs, {})
        traffic = land.group("k8s-traffic-genai-1", land.ours, CLUSTER)
        land.group("k8s-untagged", land.ours, {})
        land.group("data", land.ours, OURS, admits=traffic)
        land.group("k8s-traffic-other", land.theirs, {"eks:eks-cluster-name": "other"})
        said = orphans.release_network(clients, Quiet())
        assert land.balancers() == {"by-another", "elsewhere"}
        assert land.groups() == {"data", "k8s-traffic-other"}
        assert land.admitted("data") == [], "AWS deletes no group that another one admits"
        with pytest.raises(StepError, match="by-another") as told:
            orphans.refuse_others(clients)
        assert "aws elbv2 delete-load-balancer" in told.value.remedy
        assert "by-hand" in said
        assert "k8s-traffic-genai-1" in said


@pytest.mark.parametrize("known_to", ["its state", "EKS"])
def test_while_the_cluster_may_still_exist_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_to: str) -> None:
    """Its controllers own all of it; that either of them knows it is enough."""
    monkeypatch.setattr(orphans, "PROFILE_LIMIT", 0.0)
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        land.balancer("by-cluster", land.ours, CLUSTER)
        land.profile("eks-genai-1", CLUSTER)
        if known_to == "EKS":
            network = {"subnetIds": [], "securityGroupIds": []}
            clients.aws.client("eks").create_cluster(name="genai", roleArn="arn:aws:iam::123456789012:role/a", resourcesVpcConfig=network)
        else:
            state(clients, "cluster")
        assert (orphans.release_network(clients, Quiet()), orphans.finish(clients, Quiet())) == ("", [])
        assert (land.balancers(), land.profiles()) == ({"by-cluster"}, {"eks-genai-1"})


def test_the_profile_and_the_volumes_of_a_cluster_that_is_gone_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "PROFILE_LIMIT", 0.0)
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        land.profile("eks-genai-1", CLUSTER)
        land.iam.create_role(RoleName="genai-node", AssumeRolePolicyDocument="{}")
        land.iam.add_role_to_instance_profile(InstanceProfileName="eks-genai-1", RoleName="genai-node")
        land.profile("eks-other-1", {"eks:eks-cluster-name": "other"})
        for held in (CLUSTER, {"eks:eks-cluster-name": "other"}):
            spec = [{"ResourceType": "volume", "Tags": tags(held)}]
            land.ec2.create_volume(AvailabilityZone="ap-northeast-1a", Size=20, TagSpecifications=spec)
        gone = orphans.finish(clients, Quiet())
        assert land.profiles() == {"eks-other-1"}
        assert len(land.ec2.describe_volumes()["Volumes"]) == 1
        assert [one.partition(" ")[0] for one in gone] == ["volume", "instance"]


def test_what_aws_still_counts_as_in_use_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        spec = [{"ResourceType": "volume", "Tags": tags(CLUSTER)}]
        volume = land.ec2.create_volume(AvailabilityZone="ap-northeast-1a", Size=20, TagSpecifications=spec)["VolumeId"]
        machine = land.machine({"Name": "somebody"})
        land.ec2.attach_volume(VolumeId=volume, InstanceId=machine, Device="/dev/sdf")

        class Later(Quiet):
            """It is detached while its deletion is waited for."""

            def say(self, text: str) -> None:
                assert "deleting what the cluster left: " in text
                land.ec2.detach_volume(VolumeId=volume, InstanceId=machine)

        assert orphans.finish(clients, Later()) == [f"volume {volume}"]


def test_interfaces_of_the_clusters_load_balancers_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        made = land.ec2.create_network_interface(SubnetId=land.ours[1][0], Description="ELB app/k8s-genai/1")
        id = made["NetworkInterface"]["NetworkInterfaceId"]
        state(clients, "network")
        told: list[str] = []

        class Later(Quiet):
            """AWS deletes it while it is waited for."""

            def say(self, text: str) -> None:
                told.append(text)
                land.ec2.delete_network_interface(NetworkInterfaceId=id)

        NetworkStep(clients, "network", (), 3, no_inputs).destroy(Later())
        assert [id in text for text in told] == [True]


def test_a_profile_that_eks_deletes_itself_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        land.profile("eks-genai-1", CLUSTER)

        class Later(Quiet):
            """EKS deletes it while it is waited for."""

            def say(self, text: str) -> None:
                assert "waiting for EKS to delete instance profile eks-genai-1" in text
                land.iam.delete_instance_profile(InstanceProfileName="eks-genai-1")

        assert orphans.finish(clients, Later()) == []


def test_what_others_have_in_the_network_is_named_at_once_and_the_gateways_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        land = Land(clients)
        land.machine(CLUSTER)
        theirs = land.machine({"Name": "somebody"})
        state(clients, "network")
        step = NetworkStep(clients, "network", (), 3, no_inputs)
        with pytest.raises(StepError) as told:
            step.destroy(Impatient())
        assert theirs in told.value.message
        assert told.value.remedy == f"aws ec2 terminate-instances --instance-ids {theirs} --region ap-northeast-1"
        calls: Any = clients.terraform
        assert calls.calls == [("destroy", "network,aws_nat_gateway.this,aws_eip.nat")]
