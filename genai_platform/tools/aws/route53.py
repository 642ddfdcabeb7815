"""Records in Route 53."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from genai_platform.errors import ConfigError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained


def zone_of(aws: Aws, name: str) -> str:
    """The public zone that a name lies in, the most specific one.

    Raises:
        ConfigError: the account has no such zone.
    """
    with explained("list the zones of Route 53"):
        pages = aws.client("route53").get_paginator("list_hosted_zones").paginate()
        zones = [zone for page in pages for zone in page["HostedZones"] if not zone["Config"].get("PrivateZone")]
    fitting = [zone for zone in zones if f".{name}.".endswith(f".{zone['Name']}")]
    if not fitting:
        raise ConfigError(
            f"ingress.domain: no public zone of Route 53 in this account holds {name}",
            remedy="make the zone and delegate it, or leave ingress.domain out",
            id="aws.zone",
        )
    return str(max(fitting, key=lambda zone: len(zone["Name"]))["Id"])


def change(aws: Aws, zone: str, action: Literal["UPSERT", "DELETE"], records: list[Mapping[str, Any]]) -> None:
    """Write or delete records. Deleting what is already gone is not an error."""
    client = aws.client("route53")
    for record in records:
        with explained(f"write the record {record['Name']}"):
            try:
                client.change_resource_record_sets(
                    HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": dict(record)}]}
                )
            except client.exceptions.InvalidChangeBatch:
                if action != "DELETE":
                    raise


def cname(name: str, value: str, ttl: int = 60) -> Mapping[str, Any]:
    """A record that points to another name."""
    return {"Name": name, "Type": "CNAME", "TTL": ttl, "ResourceRecords": [{"Value": value}]}
