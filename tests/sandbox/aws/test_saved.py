"""What the stand-in of AWS holds is there again after a stop, whatever was made in it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from tests.end_to_end import leftovers
from tests.sandbox.aws.conftest import REGION, Cloud

TAGS = [{"Key": "genai:environment", "Value": "saved"}]


def test_things_of_every_kind_are_there_after_a_stop(new_cloud: Callable[[], Cloud]) -> None:
    cloud = new_cloud()
    ec2, iam = cloud.client("ec2"), cloud.client("iam")
    network = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.8.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ac")
    ]
    role = iam.create_role(RoleName="genai-sandbox-cluster", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    cloud.client("eks").create_cluster(name="genai-sandbox", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier="genai-sandbox", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="left-behind"
    )
    land = leftovers.Land(SimpleNamespace(aws=cloud.client), TAGS, network, subnets)  # type: ignore[arg-type]
    leftovers.plant(land)
    tagged = _tagged(cloud)
    assert len(tagged) > 20
    cloud.client("resourcegroupstaggingapi").get_resources(ResourcesPerPage=1)  # a list that nobody reads to its end
    assert cloud.stop() == 0
    cloud.start()
    assert _tagged(cloud) == tagged
    assert cloud.client("ssm").put_parameter(Name="left-behind", Type="String", Value="y", Overwrite=True)["Version"] == 2


def _tagged(cloud: Cloud) -> set[str]:
    """The ARNs of all that carries the environment's tag."""
    pages = cloud.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": TAGS[0]["Key"]}])
    return {one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]}
