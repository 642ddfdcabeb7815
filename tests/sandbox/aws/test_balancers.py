"""What the load balancer's front makes in AWS for people and clean-up to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trustme
from botocore.exceptions import ClientError

from genai_platform.sandbox.load_balancer.balancers import AwsBalancers
from genai_platform.sandbox.load_balancer.routes import Group, Listener


@pytest.fixture(scope="module")
def cloud(new_cloud: Callable[[], Any]) -> Any:
    """A server of its own: it is restarted on the way."""
    return new_cloud()


@pytest.fixture
def certificates(cloud: Any) -> list[str]:
    acm, made = cloud.client("acm"), []
    for name in ("one.example.com", "two.example.com"):
        leaf = trustme.CA().issue_cert(name)
        answer = acm.import_certificate(Certificate=leaf.cert_chain_pems[0].bytes(), PrivateKey=leaf.private_key_pem.bytes())
        made.append(answer["CertificateArn"])
    return made


@pytest.fixture
def vpc(cloud: Any) -> str:
    """A network with a cluster in it and subnets for load balancers."""
    ec2 = cloud.client("ec2")
    made: str = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "kubernetes.io/role/elb", "Value": "1"}]}]
    subnets = [
        ec2.create_subnet(VpcId=made, CidrBlock=f"10.6.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}", TagSpecifications=tags)
        for number, zone in enumerate("ac")
    ]
    cloud.client("eks").create_cluster(
        name="genai",
        roleArn="arn:aws:iam::123456789012:role/cluster",
        resourcesVpcConfig={"subnetIds": [one["Subnet"]["SubnetId"] for one in subnets]},
    )
    return made


def group(*listeners: tuple[int, str | None]) -> Group:
    made = tuple(Listener(port, (arn,) if arn else (), 600, ()) for port, arn in listeners)
    return Group("genai", "internet-facing", (), made)


def test_a_load_balancer_shows_its_listeners_and_holds_its_certificates(cloud: Any, vpc: str, certificates: list[str]) -> None:
    elb, acm, ec2 = cloud.client("elbv2"), cloud.client("acm"), cloud.client("ec2")
    one, two = certificates
    balancers = AwsBalancers(cloud.layout)

    def listening(arn: str) -> dict[int, list[str]]:
        found = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        return {item["Port"]: [held["CertificateArn"] for held in item.get("Certificates", ())] for item in found}

    assert balancers.ensure(group((443, one), (8080, None))) == "localhost"
    (arn,) = [found["LoadBalancerArn"] for found in elb.describe_load_balancers()["LoadBalancers"] if found["VpcId"] == vpc]
    assert listening(arn) == {443: [one], 8080: []}
    attributes = {item["Key"]: item["Value"] for item in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
    assert attributes["idle_timeout.timeout_seconds"] == "600"
    with pytest.raises(ClientError) as error:
        acm.delete_certificate(CertificateArn=one)
    assert error.value.response["Error"]["Code"] == "ResourceInUseException"

    # Other processes go on with what the first ones made.
    assert cloud.stop() == 0
    cloud.start()
    elb, acm, ec2 = cloud.client("elbv2"), cloud.client("acm"), cloud.client("ec2")
    assert listening(arn) == {443: [one], 8080: []}
    balancers = AwsBalancers(cloud.layout)
    balancers.ensure(group((443, two)))
    assert listening(arn) == {443: [two]}
    acm.delete_certificate(CertificateArn=one)

    balancers.remove("genai")
    assert not [found for found in elb.describe_load_balancers()["LoadBalancers"] if found["VpcId"] == vpc]
    assert ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"] == []
    acm.delete_certificate(CertificateArn=two)
