"""Finders for what exists in a network: machines, volumes, addresses, gateways, load balancers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.leftovers.items import GIGABYTE, USD, Item, Listing, Scope, pages
from genai_platform.tools.aws.load_balancers import tags_of


def instances(aws: Aws, scope: Scope) -> Iterator[Item]:
    for reservation in pages(aws, "ec2", "describe_instances", "Reservations"):
        for entry in reservation["Instances"]:
            by = scope.by(entry.get("Tags"), network=entry.get("VpcId"))
            if by and entry["State"]["Name"] not in {"terminated", "shutting-down"}:
                name = entry["InstanceId"]
                yield Item("ec2:instance", name, USD["instance"], scope.command(f"ec2 terminate-instances --instance-ids {name}"), by)


def _listed(listing: Listing, gigabyte: float = 0.0, **arguments: Any) -> Callable[[Aws, Scope], Iterator[Item]]:
    """The finder for one listing of EC2. ``gigabyte``: what each of a thing's size costs an hour."""

    def find(aws: Aws, scope: Scope) -> Iterator[Item]:
        for entry in pages(aws, "ec2", listing.operation, listing.entries, **arguments):
            by = scope.by(entry.get("Tags"), network=entry.get("VpcId"))
            if by and entry.get("State") not in {"deleting", "deleted"}:
                yield listing.item(scope, entry, by, gigabyte * entry.get("Size", entry.get("VolumeSize", 0)))

    return find


launch_templates = _listed(
    Listing("ec2:launch-template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId",
            "ec2 delete-launch-template --launch-template-id")
)  # fmt: skip
volumes = _listed(Listing("ec2:volume", "describe_volumes", "Volumes", "VolumeId", "ec2 delete-volume --volume-id"), GIGABYTE["volume"])
snapshots = _listed(
    Listing("ec2:snapshot", "describe_snapshots", "Snapshots", "SnapshotId", "ec2 delete-snapshot --snapshot-id"),
    GIGABYTE["snapshot"], OwnerIds=["self"],
)  # fmt: skip
addresses = _listed(
    Listing("ec2:elastic-ip", "describe_addresses", "Addresses", "AllocationId", "ec2 release-address --allocation-id", USD["eip"])
)
nat_gateways = _listed(
    Listing(
        "ec2:nat-gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId", "ec2 delete-nat-gateway --nat-gateway-id", USD["nat"]
    )
)


def vpcs(aws: Aws, scope: Scope) -> Iterator[Item]:
    for name in sorted(scope.networks):
        yield Item("ec2:vpc", name, 0, scope.command(f"ec2 delete-vpc --vpc-id {name}"), "tag")


_IN_NETWORK = (
    Listing("ec2:subnet", "describe_subnets", "Subnets", "SubnetId", "ec2 delete-subnet --subnet-id"),
    Listing("ec2:internet-gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId",
            "ec2 delete-internet-gateway --internet-gateway-id"),
    Listing("ec2:route-table", "describe_route_tables", "RouteTables", "RouteTableId", "ec2 delete-route-table --route-table-id"),
    Listing("ec2:security-group", "describe_security_groups", "SecurityGroups", "GroupId", "ec2 delete-security-group --group-id"),
    Listing("ec2:network-interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId",
            "ec2 delete-network-interface --network-interface-id"),
    Listing("ec2:vpc-endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "ec2 delete-vpc-endpoints --vpc-endpoint-ids"),
)  # fmt: skip


def inside_networks(aws: Aws, scope: Scope) -> Iterator[Item]:
    for listing in _IN_NETWORK:
        for entry in pages(aws, "ec2", listing.operation, listing.entries):
            # What a network is born with goes with it and cannot be removed alone.
            born = entry.get("GroupName") == "default" or any(link.get("Main") for link in entry.get("Associations", []))
            attached = next((link.get("VpcId") for link in entry.get("Attachments", [])), None)
            by = scope.by(entry.get("Tags") or entry.get("TagSet"), network=entry.get("VpcId") or attached)
            if by == "network" and str(entry.get("Description", "")).startswith("ELB "):
                by = "cluster"  # of a load balancer, and a load balancer here is one that Auto Mode made
            if by and not born and str(entry.get("State", "")).lower() not in {"deleted", "deleting"}:
                item = listing.item(scope, entry, by, USD["endpoint"] if entry.get("VpcEndpointType") == "Interface" else 0.0)
                yield replace(item, remove=" && ".join([*_freed(scope, entry), item.remove]))


def _freed(scope: Scope, entry: Mapping[str, Any]) -> list[str]:
    """The commands that free a gateway from its network, or a route table from its subnets: held, they cannot be deleted."""
    gateway = entry.get("InternetGatewayId")
    networks = [link["VpcId"] for link in entry.get("Attachments", ()) if gateway]
    words = [f"ec2 detach-internet-gateway --internet-gateway-id {gateway} --vpc-id {network}" for network in networks]
    held = [link["RouteTableAssociationId"] for link in entry.get("Associations", ()) if link.get("SubnetId")]
    words += [f"ec2 disassociate-route-table --association-id {association}" for association in held]
    return [scope.command(one) for one in words]


_BALANCERS = (
    Listing("elbv2:load-balancer", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn",
            "elbv2 delete-load-balancer --load-balancer-arn", USD["load-balancer"]),
    Listing("elbv2:target-group", "describe_target_groups", "TargetGroups", "TargetGroupArn",
            "elbv2 delete-target-group --target-group-arn"),
)  # fmt: skip


def load_balancers(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("elbv2")
    for listing in _BALANCERS:
        found = {entry[listing.key]: entry for entry in pages(aws, "elbv2", listing.operation, listing.entries)}
        for arn, tags in tags_of(client, list(found)):
            if by := scope.by(tags, network=found[arn].get("VpcId")):
                yield listing.item(scope, found[arn], by)
