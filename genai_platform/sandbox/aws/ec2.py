"""EC2 and load balancers: what is still in use is not deleted, as on AWS; a load balancer has interfaces in its subnets."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.elbv2.models import ELBv2Backend, elbv2_backends

from genai_platform.sandbox.aws import network_interfaces
from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn

CLUSTER_TAG = "eks:eks-cluster-name"
"""What Auto Mode puts on everything it makes."""


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's EC2 and ELBv2."""
    delete_vpc, delete_subnet, delete_group = EC2Backend.delete_vpc, EC2Backend.delete_subnet, EC2Backend._delete_security_group
    delete_nat, delete_interface = EC2Backend.delete_nat_gateway, EC2Backend.delete_network_interface
    detach, terminate = EC2Backend.detach_internet_gateway, EC2Backend.terminate_instances
    create_balancer, delete_balancer = ELBv2Backend.create_load_balancer, ELBv2Backend.delete_load_balancer

    def _delete_vpc(self: Any, vpc_id: str) -> Any:
        groups = any(group.name != "default" for group in self.groups.get(vpc_id, {}).values())
        gateways = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values())
        interfaces = any(eni.subnet is not None and eni.subnet.vpc_id == vpc_id for eni in self.enis.values())
        if groups or gateways or interfaces or _balancers(self.region_name, vpc_id):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return delete_vpc(self, vpc_id)

    def _delete_subnet(self: Any, subnet_id: str) -> Any:
        used = any(eni.subnet is not None and eni.subnet.id == subnet_id for eni in self.enis.values())
        if used or subnet_id in network_interfaces.subnets(self.region_name):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        return delete_subnet(self, subnet_id)

    def _delete_security_group(self: Any, vpc_id: str | None, group_id: str) -> None:
        used = any(group.id == group_id for eni in self.enis.values() for group in eni.group_set)
        if used or _referenced(self, group_id) or group_id in network_interfaces.security_groups(self.region_name):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        delete_group(self, vpc_id, group_id)

    def detach_internet_gateway(self: Any, internet_gateway_id: str, vpc_id: str) -> None:
        if any(balancer.scheme == "internet-facing" for balancer in _balancers(self.region_name, vpc_id)):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            )
        detach(self, internet_gateway_id, vpc_id)

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = delete_nat(self, nat_gateway_id)
        for address in gateway.address_set:
            self.enis.pop(address.get("networkInterfaceId"), None)
        return gateway

    def delete_network_interface(self: Any, eni_id: str) -> None:
        eni = self.enis.get(eni_id)
        if eni is not None and (eni.attachment_id or getattr(eni, "of_service", False)):
            raise DependencyViolationError(f"Network interface '{eni_id}' is currently in use.")
        delete_interface(self, eni_id)

    def terminate_instances(self: Any, instance_ids: list[str]) -> Any:
        ended = terminate(self, instance_ids)
        # Its first interface goes with a machine (DeleteOnTermination), and its subnet can go then.
        for eni in [eni for eni in self.enis.values() if eni.instance is not None and eni.instance.id in instance_ids]:
            del self.enis[eni.id]
        return ended

    def create_load_balancer(self: Any, *positional: Any, **asked: Any) -> Any:
        balancer = create_balancer(self, *positional, **asked)
        kind = {"network": "net", "gateway": "gwy"}.get(balancer.type, "app")
        balancer.interfaces = []
        for subnet in balancer.subnets:
            shown = f"ELB {kind}/{balancer.name}/{balancer.arn.rsplit('/', 1)[-1]}"
            groups = list(balancer.security_groups or [])
            eni = self.ec2_backend.create_network_interface(subnet, None, group_ids=groups, description=shown)
            eni.of_service, eni.status = True, "in-use"
            balancer.interfaces.append(eni.id)
        balancer.state = "active"
        return balancer

    def delete_load_balancer(self: Any, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        delete_balancer(self, arn)
        for eni_id in getattr(balancer, "interfaces", []):
            self.ec2_backend.enis.pop(eni_id, None)

    EC2Response.describe_instances = _hidden(EC2Response.describe_instances, "Reservations")
    EC2Response.describe_network_interfaces = _hidden(EC2Response.describe_network_interfaces, "NetworkInterfaces")
    EC2Response.describe_launch_templates = _hidden(EC2Response.describe_launch_templates, "LaunchTemplates")
    EC2Backend.delete_vpc = _delete_vpc
    EC2Backend.delete_subnet = _delete_subnet
    EC2Backend._delete_security_group = _delete_security_group
    EC2Backend.detach_internet_gateway = detach_internet_gateway
    EC2Backend.delete_nat_gateway = delete_nat_gateway
    EC2Backend.terminate_instances = terminate_instances
    EC2Backend.delete_network_interface = delete_network_interface
    ELBv2Backend.create_load_balancer = create_load_balancer
    ELBv2Backend.delete_load_balancer = delete_load_balancer


def _hidden(describe: Any, key: str) -> Any:
    """What Auto Mode made is left out unless it is asked for, as in accounts that are new to it.

    Volumes of claims are shown: whether AWS hides those, too, is unverified.
    """

    def described(self: Any) -> Any:
        answer = describe(self)
        if str(self._get_param("IncludeManagedResources", "")).lower() != "true":
            answer.result[key] = [one for one in answer.result[key] if CLUSTER_TAG not in _tag_keys(one)]
        return answer

    return described


def _tag_keys(one: Any) -> set[str]:
    if isinstance(one, dict):
        return {tag.get("Key", tag.get("key")) for tag in one.get("Tags", ())}
    # A reservation's tags are those of its instances: Auto Mode makes one at a time.
    return {tag["key"] for part in getattr(one, "instances", [one]) for tag in part.get_tags()}


def _balancers(region: str, vpc_id: str) -> list[Any]:
    return [balancer for balancer in elbv2_backends[ACCOUNT][region].load_balancers.values() if balancer.vpc_id == vpc_id]


def _referenced(backend: Any, group_id: str) -> bool:
    others = [group for groups in backend.groups.values() for group in groups.values() if group.id != group_id]
    rules = (rule for group in others for rule in (*group.ingress_rules, *group.egress_rules))
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)
