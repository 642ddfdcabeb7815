"""The instance profile of an Auto Mode cluster outlives it for a while."""

from __future__ import annotations

import time
from typing import Any


def test_the_profile_is_there_when_its_cluster_is_gone_and_goes_later(cloud: Any) -> None:
    iam, eks, ec2 = (cloud.client(name) for name in ("iam", "eks", "ec2"))
    node = iam.create_role(RoleName="outlived-node", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}')["Role"]["Arn"]
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    eks.create_cluster(
        name="outlived", roleArn=node, resourcesVpcConfig={"subnetIds": [subnet]}, computeConfig={"enabled": True, "nodeRoleArn": node}
    )

    def profiles() -> list[dict[str, Any]]:
        found = iam.list_instance_profiles()["InstanceProfiles"]
        return [one for one in found if one["InstanceProfileName"].startswith("eks-ap-northeast-1-outlived-")]

    (made,) = profiles()
    assert [role["RoleName"] for role in made["Roles"]] == ["outlived-node"]
    tags = iam.get_instance_profile(InstanceProfileName=made["InstanceProfileName"])["InstanceProfile"]["Tags"]
    assert tags == [{"Key": "eks:eks-cluster-name", "Value": "outlived"}]
    eks.delete_cluster(name="outlived")
    assert profiles()
    deadline = time.monotonic() + 60
    while profiles() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert profiles() == []
