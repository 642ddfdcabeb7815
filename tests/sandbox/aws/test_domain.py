"""With a domain: certificate, names and their removal, by the product's own steps against the sandbox's AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from genai_platform.audit import leftovers
from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.step import State
from genai_platform.errors import ConfigError
from genai_platform.sandbox.aws.identity import administrator
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.certificate import DomainCertificateStep
from genai_platform.steps.ingress import ingress_step
from genai_platform.tools.aws import certificate
from genai_platform.tools.aws.client import Aws
from tests.sandbox.aws.conftest import REGION, Cloud

DOMAIN = "genai.example.com"
HOST = f"litellm.{DOMAIN}"


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


class Kube:
    """A cluster with one ingress, which has the load balancer's name once it was applied."""

    def __init__(self, balancer: str) -> None:
        self.balancer = balancer
        self.ingress: dict[str, Any] | None = None

    def exists(self) -> bool:
        return True

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.ingress if kind == "Ingress" else None

    def list(self, api_version: str, kind: str, namespace: str | None = None, **_: Any) -> list[dict[str, Any]]:
        return [self.ingress] if self.ingress else []

    def apply(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.ingress = {**document, "status": {"loadBalancer": {"ingress": [{"hostname": self.balancer}]}}}
        return self.ingress

    def differs(self, document: dict[str, Any]) -> list[str] | None:
        return [] if self.ingress else None

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, **_: Any) -> bool:
        gone, self.ingress = self.ingress, None
        return gone is not None


@pytest.fixture(scope="module")
def cloud(new_cloud: Callable[[], Cloud]) -> Cloud:
    """A server of this file's own: whether a zone holds the domain is what it is about."""
    return new_cloud()


@pytest.fixture
def clients(cloud: Cloud, tmp_path: Path) -> Clients:
    key = administrator(cloud.layout)
    endpoints = Endpoints(
        aws=AwsEndpoints(url=cloud.layout.url("aws"), access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)
    )
    settings = Settings.model_validate({"platform": {"region": REGION}, "ingress": {"domain": DOMAIN}})
    target = Target("sandbox-test", settings, endpoints, tmp_path)
    return Clients(target, aws=Aws(target))


@pytest.fixture
def zone(cloud: Cloud) -> Iterator[str]:
    client = cloud.client("route53")
    made = str(client.create_hosted_zone(Name=DOMAIN, CallerReference=str(id(client)))["HostedZone"]["Id"])
    yield made
    for record in found(cloud, made):
        change = {"Action": "DELETE", "ResourceRecordSet": record}
        client.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": [change]})
    client.delete_hosted_zone(Id=made)


def found(cloud: Cloud, zone: str) -> list[dict[str, Any]]:
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [record for record in records if record["Type"] not in ("NS", "SOA")]


@pytest.fixture
def balancer(cloud: Cloud, clients: Clients) -> Iterator[dict[str, str]]:
    """What EKS makes for the ingresses: known by the cluster's tag alone."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for at, zone in enumerate("ac")
    ]
    tags = [{"Key": "eks:eks-cluster-name", "Value": clients.target.prefix}]
    made = elb.create_load_balancer(Name="k8s-domain", Subnets=subnets, Tags=tags)["LoadBalancers"][0]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def records_left(clients: Clients) -> list[str]:
    return [item.id for item in leftovers.audit(clients).leftovers if item.kind == "route53:record"]


def test_acm_issues_a_certificate_once_its_records_stand_and_both_go(cloud: Cloud, clients: Clients, zone: str) -> None:
    step = DomainCertificateStep(clients, interval=0.05)
    assert step.observe().state is State.ABSENT
    assert HOST in step.apply(Quiet())
    assert step.observe().state is State.PRESENT
    proofs = [record["Name"].rstrip(".") for record in found(cloud, zone)]
    assert len(proofs) == 2
    assert all(name.startswith("_") and name.endswith(DOMAIN) for name in proofs)
    # No cluster stands that could use it: what is there is seen as left over.
    assert sorted(records_left(clients)) == sorted(f"CNAME {name}" for name in proofs)
    assert step.destroy(Quiet()) == "certificate deleted"
    assert found(cloud, zone) == []
    assert step.observe().state is State.ABSENT
    assert records_left(clients) == []


def test_a_name_points_to_the_load_balancer_and_goes_with_its_ingress(
    cloud: Cloud, clients: Clients, zone: str, balancer: dict[str, str]
) -> None:
    kube = Kube(balancer["DNSName"])
    clients = Clients(clients.target, aws=clients.aws, kube=cast(Any, kube))
    document = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "litellm", "namespace": "genai-platform"}}
    step = ingress_step(clients, "litellm.ingress", (), "litellm", lambda: [document])
    assert step.apply(Quiet()) == f"https://{HOST}"
    (record,) = found(cloud, zone)
    assert (record["Name"].rstrip("."), record["Type"]) == (HOST, "A")
    assert record["AliasTarget"]["DNSName"].rstrip(".") == balancer["DNSName"]
    assert record["AliasTarget"]["HostedZoneId"] == balancer["CanonicalHostedZoneId"]
    assert step.observe().state is State.PRESENT
    # Somebody points it elsewhere: drift, and the next apply fixes it.
    other = {**record, "AliasTarget": {**record["AliasTarget"], "DNSName": "other.example.net"}}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": other}]
    cloud.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    assert step.observe().state is State.DRIFTED
    assert step.apply(Quiet()) == f"https://{HOST}"
    assert step.observe().state is State.PRESENT
    assert records_left(clients) == [f"A {HOST}"]
    # The balancer is waited for after its last ingress; here nobody removes it but the test.
    cloud.client("elbv2").remove_tags(ResourceArns=[balancer["LoadBalancerArn"]], TagKeys=["eks:eks-cluster-name"])
    assert f"removed {HOST}" in step.destroy(Quiet())
    assert found(cloud, zone) == []
    assert records_left(clients) == []


def test_the_audits_own_command_removes_a_record(cloud: Cloud, clients: Clients, zone: str) -> None:
    import json
    import shlex

    record = {
        "Name": HOST,
        "Type": "A",
        "AliasTarget": {"HostedZoneId": "Z1", "DNSName": "gone.example.net", "EvaluateTargetHealth": False},
    }
    client = cloud.client("route53")
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    (left,) = [item for item in leftovers.audit(clients).leftovers if item.kind == "route53:record"]
    words = shlex.split(left.remove)
    assert words[:3] == ["aws", "route53", "change-resource-record-sets"]
    client.change_resource_record_sets(
        HostedZoneId=words[words.index("--hosted-zone-id") + 1], ChangeBatch=json.loads(words[words.index("--change-batch") + 1])
    )
    assert found(cloud, zone) == []


def test_without_a_zone_the_setting_is_named_and_nothing_is_made(clients: Clients) -> None:
    with pytest.raises(ConfigError, match=r"ingress\.domain"):
        DomainCertificateStep(clients, interval=0.05).apply(Quiet())
    assert certificate.find(clients.aws) is None
