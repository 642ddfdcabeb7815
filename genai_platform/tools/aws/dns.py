"""Host names of a configured domain: alias records in Route 53 that point to the load balancer."""

from __future__ import annotations

from typing import Any

from genai_platform.errors import ConfigError, StepError
from genai_platform.tools.aws import route53
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.aws.load_balancers import of_cluster


def point(aws: Aws, host: str, balancer: str, cluster: str) -> None:
    """Make ``host`` an alias of the load balancer."""
    found = next((one for one in of_cluster(aws, cluster) if one.host.lower() == balancer.lower()), None)
    if found is None:
        raise StepError(f"the load balancer {balancer} is not among those of {cluster}", id="dns.no_load_balancer")
    target = {"HostedZoneId": found.zone_id, "DNSName": found.host, "EvaluateTargetHealth": False}
    route53.change(aws, route53.zone_of(aws, host), "UPSERT", [{"Name": host, "Type": "A", "AliasTarget": target}])


def points(aws: Aws, host: str, balancer: str) -> bool:
    """Whether ``host`` is an alias of the load balancer."""
    name = ((_record(aws, host) or {}).get("AliasTarget") or {}).get("DNSName", "")
    return str(name).rstrip(".").lower().removeprefix("dualstack.") == balancer.lower()


def exists(aws: Aws, host: str) -> bool:
    """Whether ``host`` is an alias, as we make them. Where there is no zone there is none."""
    return _alias(aws, host) is not None


def remove(aws: Aws, host: str) -> str:
    """Remove the alias, when it is there. A record of another kind is not ours."""
    record = _alias(aws, host)
    if record is None:
        return ""
    route53.change(aws, route53.zone_of(aws, host), "DELETE", [record])
    return f"removed {host}"


def _alias(aws: Aws, host: str) -> dict[str, Any] | None:
    try:
        record = _record(aws, host)
    except ConfigError:
        return None  # the zone went before, and its records with it
    return record if record and "AliasTarget" in record else None


def _record(aws: Aws, host: str) -> dict[str, Any] | None:
    with explained(f"read the record {host}"):
        answer = aws.client("route53").list_resource_record_sets(
            HostedZoneId=route53.zone_of(aws, host), StartRecordName=host, StartRecordType="A", MaxItems="1"
        )
    found: list[dict[str, Any]] = answer["ResourceRecordSets"]
    return next((one for one in found if one["Name"].rstrip(".") == host and one["Type"] == "A"), None)
