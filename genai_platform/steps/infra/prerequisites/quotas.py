"""Whether the account's quotas leave room for what is not there yet: what is used is counted, what is allowed is asked.

Codes: Amazon VPC quotas; Amazon EC2 endpoints and quotas (AWS General Reference).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from genai_platform.errors import GenaiError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites.answer import Answer
from genai_platform.tools.aws import tags
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.aws.leftovers.items import pages
from genai_platform.tools.parallel import gather

_VCPUS = 8
"""Of the two nodes on which Auto Mode usually puts the platform; a new account has 5 (Amazon EC2 service quotas)."""
_STANDARD = frozenset("acdhimrtz")
"""First letters of the instance families that the quota on Standard instances counts."""


@dataclass(frozen=True)
class Use:
    """What is counted against one quota, and what is still to be made."""

    used: int
    more: int
    where: str = ""


@dataclass(frozen=True)
class Quota:
    """One quota of Service Quotas."""

    id: str
    service: str
    code: str
    name: str
    count: Callable[[Clients], Use]
    exact: bool = True
    """Whether what is still to be made is known, not estimated: only then is a full quota a reason to refuse."""


def look(clients: Clients) -> list[Answer]:
    """One answer for each quota, whatever became of the others."""
    return gather(QUOTAS, lambda quota: _look(clients, quota))


def _look(clients: Clients, quota: Quota) -> Answer:
    id = f"quota.{quota.id}"
    try:
        use = quota.count(clients)
        allowed = _allowed(clients.aws, quota)
    except GenaiError as error:
        return Answer(id, "unknown", error.message, error.remedy or "see the message")
    text = f"{quota.name}{use.where}: {use.used} of {allowed:g} used"
    if not use.more or use.used + use.more <= allowed:
        return Answer(id, "pass", f"{text}, {use.more} more needed" if use.more else f"{text}, no more needed")
    command = (
        f"aws service-quotas request-service-quota-increase --region {clients.aws.region} --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {use.used + use.more}"
    )
    state: Literal["fail", "warn"] = "fail" if quota.exact else "warn"
    return Answer(id, state, f"{text}, and {use.more} more needed", f"free some that nobody needs, or ask for more: {command}")


def _allowed(aws: Aws, quota: Quota) -> float:
    with explained(f"read the quota {quota.code} ({quota.name})"):
        return float(aws.client("service-quotas").get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]["Value"])


def _list(aws: Aws, operation: str, entries: str) -> list[dict[str, Any]]:
    with explained(f"count what the account uses ({operation})"):
        return list(pages(aws, "ec2", operation, entries))


def _gateways(clients: Clients) -> int:
    """How many NAT gateways, each with an address, the network has."""
    network = clients.target.settings.network
    return 1 if network.nat == "single" else network.zones


def _networks(clients: Clients) -> Use:
    found = _list(clients.aws, "describe_vpcs", "Vpcs")
    return Use(len(found), 0 if any(tags.carries(one.get("Tags"), clients.target.tags) for one in found) else 1)


def _addresses(clients: Clients) -> Use:
    found = _list(clients.aws, "describe_addresses", "Addresses")
    return Use(len(found), max(0, _gateways(clients) - sum(tags.carries(one.get("Tags"), clients.target.tags) for one in found)))


def _nat_gateways(clients: Clients) -> Use:
    """The zone that has the most of those in which the network gets one."""
    aws = clients.aws
    alive = [one for one in _list(aws, "describe_nat_gateways", "NatGateways") if one["State"] in ("pending", "available", "deleting")]
    zone_of = {one["SubnetId"]: one["AvailabilityZone"] for one in _list(aws, "describe_subnets", "Subnets")}
    wanted = aws.zones()[: _gateways(clients)]
    used = Counter(zone_of.get(one["SubnetId"], "") for one in alive)
    own = Counter(zone_of.get(one["SubnetId"], "") for one in alive if tags.carries(one.get("Tags"), clients.target.tags))
    fullest = max(wanted, key=lambda zone: used[zone] + (not own[zone]), default="")
    return Use(used[fullest], 0 if own[fullest] else 1, f" in {fullest}" if fullest else "")


def _vcpus(clients: Clients) -> Use:
    used = ours = 0
    for reservation in _list(clients.aws, "describe_instances", "Reservations"):
        for machine in reservation["Instances"]:
            counted = machine["InstanceType"][0] in _STANDARD and machine.get("InstanceLifecycle") != "spot"
            if machine["State"]["Name"] not in ("pending", "running") or not counted:
                continue
            options = machine.get("CpuOptions", {})
            cores = options.get("CoreCount", 0) * options.get("ThreadsPerCore", 1)
            used += cores
            if tags.carries(machine.get("Tags"), {"eks:eks-cluster-name": clients.target.prefix}):
                ours += cores
    return Use(used, max(0, _VCPUS - ours))


QUOTAS = (
    Quota("networks", "vpc", "L-F678F1CE", "VPCs per Region", _networks),
    Quota("addresses", "ec2", "L-0263D0A3", "Elastic IP addresses", _addresses),
    Quota("nat_gateways", "vpc", "L-FE5A380F", "NAT gateways per Availability Zone", _nat_gateways),
    Quota("vcpus", "ec2", "L-1216C47A", "vCPUs of running On-Demand Standard instances", _vcpus, exact=False),
)
