"""The load balancers as AWS shows them: what the controller makes there, so that their removal can be waited for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import httpx
from botocore.config import Config

from genai_platform.files import write_private
from genai_platform.sandbox.aws.identity import administrator, control_key
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.load_balancer.routes import Group, Listener

_CLUSTER = "eks:eks-cluster-name"
_STACK = "ingress.eks.amazonaws.com/stack"
_OLD_STACK = "ingress.k8s.aws/stack"
_NETWORK_STACK = "service.eks.amazonaws.com/stack"


class AwsBalancers:
    """Load balancers in the sandbox's AWS. They share one listening address, so all have the name ``localhost``."""

    def __init__(self, layout: SandboxLayout) -> None:
        key = administrator(layout)
        session = boto3.Session(aws_access_key_id=key.access_key_id, aws_secret_access_key=key.secret_access_key, region_name=layout.region)
        config = Config(proxies={}, retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=30)
        self._clients = {name: session.client(name, endpoint_url=layout.url("aws"), config=config) for name in ("eks", "ec2", "elbv2")}
        self._known: dict[str, object] = {}

    def ensure(self, group: Group) -> str:
        """Make it when missing; answer the host name for the ingresses' status."""
        wanted = [(listener.port, listener.certificates, listener.idle) for listener in group.listeners]
        if self._known.get(group.name) == wanted:
            return "localhost"
        arn = self._find(group.name)
        if arn is None:
            cluster, vpc, subnets = self._network(group.scheme)
            tags = {_CLUSTER: cluster, _STACK: group.name, _OLD_STACK: group.name}
            security = self._security_group(f"k8s-{group.name}", vpc, tags, _STACK)
            made = self._clients["elbv2"].create_load_balancer(
                Name=f"k8s-{group.name}"[:32].rstrip("-"), Subnets=subnets, SecurityGroups=[security], Scheme=group.scheme,
                Type="application", Tags=_pairs({**tags, "ingress.eks.amazonaws.com/resource": "LoadBalancer"}),
            )  # fmt: skip
            arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])
        self._listen(arn, group)
        self._known[group.name] = wanted
        return "localhost"

    def remove(self, name: str) -> None:
        """Remove a group's load balancer and its security group, when they are there."""
        self._known.pop(name, None)
        found = self._find(name)
        if found is not None:
            self._clients["elbv2"].delete_load_balancer(LoadBalancerArn=found)
        for group in self._security_groups(_STACK, name):
            self._clients["ec2"].delete_security_group(GroupId=group)

    def ensure_network(self, stack: str, scheme: str, ports: list[int]) -> str:
        """A network load balancer for a Service (``namespace/name``); its host name."""
        client = self._clients["elbv2"]
        for one, tags in self._tagged():
            if tags.get(_NETWORK_STACK) == stack:
                return str(client.describe_load_balancers(LoadBalancerArns=[one])["LoadBalancers"][0]["DNSName"])
        cluster, vpc, subnets = self._network(scheme)
        tags = {_CLUSTER: cluster, _NETWORK_STACK: stack, "service.eks.amazonaws.com/resource": "LoadBalancer"}
        name = f"k8s-{stack.replace('/', '-')[:20]}-{_digest(stack)[:6]}"
        security = self._security_group(name, vpc, tags, _NETWORK_STACK)
        made = client.create_load_balancer(
            Name=name, Subnets=subnets, SecurityGroups=[security], Scheme=scheme, Type="network", Tags=_pairs(tags)
        )["LoadBalancers"][0]
        for port in ports:
            group = client.create_target_group(
                Name=f"{name}-{port}"[-32:].lstrip("-"), Protocol="TCP", Port=port, VpcId=vpc, TargetType="ip", Tags=_pairs(tags)
            )["TargetGroups"][0]["TargetGroupArn"]
            forward = [{"Type": "forward", "TargetGroupArn": group}]
            client.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="TCP", Port=port, DefaultActions=forward)
        return str(made["DNSName"])

    def remove_network(self, stack: str) -> None:
        """Remove a Service's load balancer, its target groups and its security group."""
        client = self._clients["elbv2"]
        for arn, tags in self._tagged():
            if tags.get(_NETWORK_STACK) == stack:
                groups = client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
                client.delete_load_balancer(LoadBalancerArn=arn)
                for one in groups:
                    client.delete_target_group(TargetGroupArn=one["TargetGroupArn"])
        for group in self._security_groups(_NETWORK_STACK, stack):
            self._clients["ec2"].delete_security_group(GroupId=group)

    def stacks(self) -> set[str]:
        """The groups that have a load balancer, no matter what made it."""
        return {tags[_STACK] for _, tags in self._tagged() if _STACK in tags}

    def _listen(self, arn: str, group: Group) -> None:
        """Show the listeners with their certificates, which are in use then, and the idle timeout."""
        client = self._clients["elbv2"]
        wanted = {listener.port: _described(listener) for listener in group.listeners}
        for there in client.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            certificates = [one["CertificateArn"] for one in there.get("Certificates") or ()]
            if wanted.get(there["Port"]) == (there["Protocol"], certificates):
                del wanted[there["Port"]]
            else:
                client.delete_listener(ListenerArn=there["ListenerArn"])
        nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        for port, (protocol, certificates) in wanted.items():
            certified = {"Certificates": [{"CertificateArn": one} for one in certificates]} if certificates else {}
            client.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=[nothing], **certified)
        for idle in {f"{listener.idle:g}" for listener in group.listeners}:
            attribute = {"Key": "idle_timeout.timeout_seconds", "Value": idle}
            client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])

    def _find(self, name: str) -> str | None:
        return next((arn for arn, tags in self._tagged() if tags.get(_STACK) == name), None)

    def _tagged(self) -> list[tuple[str, dict[str, str]]]:
        client = self._clients["elbv2"]
        arns = [one["LoadBalancerArn"] for one in client.describe_load_balancers()["LoadBalancers"]]
        if not arns:
            return []
        found = client.describe_tags(ResourceArns=arns[:20])["TagDescriptions"]
        return [(one["ResourceArn"], {tag["Key"]: tag["Value"] for tag in one["Tags"]}) for one in found]

    def _network(self, scheme: str) -> tuple[str, str, list[str]]:
        """The cluster, its network, and the subnets tagged for load balancers of this scheme: one a zone."""
        names = self._clients["eks"].list_clusters()["clusters"]
        if not names:
            raise LookupError("EKS has no cluster")
        vpc = self._clients["eks"].describe_cluster(name=names[0])["cluster"]["resourcesVpcConfig"]["vpcId"]
        tag = "kubernetes.io/role/elb" if scheme == "internet-facing" else "kubernetes.io/role/internal-elb"
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag-key", "Values": [tag]}]
        found = self._clients["ec2"].describe_subnets(Filters=filters)["Subnets"]
        zones = {one["AvailabilityZone"]: one["SubnetId"] for one in found}
        if len(zones) < 2:
            raise LookupError(f"fewer than two zones have a subnet tagged {tag}")
        return names[0], vpc, sorted(zones.values())

    def _security_group(self, name: str, vpc: str, tags: dict[str, str], tag: str) -> str:
        """The one that was left when this was broken off, or a new one."""
        if left := self._security_groups(tag, tags[tag]):
            return left[0]
        made = self._clients["ec2"].create_security_group(
            GroupName=name, Description="[k8s] Managed SecurityGroup for LoadBalancer", VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": _pairs(tags)}],
        )  # fmt: skip
        return str(made["GroupId"])

    def _security_groups(self, tag: str, value: str) -> list[str]:
        found = self._clients["ec2"].describe_security_groups(Filters=[{"Name": f"tag:{tag}", "Values": [value]}])
        return [one["GroupId"] for one in found["SecurityGroups"]]


class Certificates:
    """Certificates with their keys, fetched from the sandbox's AWS, kept as files for the TLS sockets."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._layout = layout
        # One for all: a client reads every authority the system trusts when it is made, plain HTTP or not.
        self._http = httpx.Client(base_url=layout.url("aws"), trust_env=False, timeout=10)

    def __call__(self, arn: str) -> tuple[Path, Path]:
        answer = self._http.get(f"/_sandbox/acm/{quote(arn, safe='')}", headers={"Authorization": f"Bearer {control_key(self._layout)}"})
        if answer.status_code == 404:
            raise LookupError(f"ACM has no certificate {arn}")
        answer.raise_for_status()
        document = answer.json()
        content = {"pem": "\n".join(filter(None, (document["certificate"].strip(), (document.get("chain") or "").strip()))) + "\n"}
        content["key"] = document["key"]
        # The content is in the name: a renewed certificate is another file, and its listener is opened again.
        stem, folder = _digest(json.dumps(content)), self._layout.folder("load-balancer")
        return write_private(folder / f"{stem}.pem", content["pem"]), write_private(folder / f"{stem}.key", content["key"])


def _described(listener: Listener) -> tuple[str, list[str]]:
    """As AWS shows it: the protocol, and the certificate clients meet first."""
    return ("HTTPS", [listener.certificates[0]]) if listener.certificates else ("HTTP", [])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pairs(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
