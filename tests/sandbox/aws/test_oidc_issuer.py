"""What anybody on the Internet reads of a cluster's issuer, once EKS has one: with it tokens of its pods are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from genai_platform.sandbox import public_addresses


def test_the_issuer_of_a_cluster_is_public_as_long_as_there_is_one(new_cloud: Callable[[], Any]) -> None:
    cloud = new_cloud()
    eks, ec2 = cloud.client("eks"), cloud.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ac")
    ]
    role = "arn:aws:iam::123456789012:role/cluster"
    made = eks.create_cluster(name="genai", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})["cluster"]
    address = made["identity"]["oidc"]["issuer"]
    configuration = public_addresses.get(cloud.layout, f"{address}/.well-known/openid-configuration").json()
    assert configuration["issuer"] == address
    (key,) = public_addresses.get(cloud.layout, configuration["jwks_uri"]).json()["keys"]
    token = cloud.token(aud=["api://AzureADTokenExchange"])
    assert jwt.decode(token, jwt.PyJWK(key), ["RS256"], audience="api://AzureADTokenExchange", issuer=address)["sub"]
    assert public_addresses.get(cloud.layout, f"{address}/elsewhere").status_code == 404
    eks.delete_cluster(name="genai")
    with pytest.raises(httpx.ConnectError):
        public_addresses.get(cloud.layout, f"{address}/keys")
