"""What may be left in an account: a thing that exists, and how it is recognised as this environment's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.tags import values

By = Literal["tag", "cluster", "network", "name"]

# What things cost an hour in USD, on demand, where prices are middling. An estimate for people, not a bill.
USD = {
    "nat": 0.062, "eks": 0.10, "aurora": 0.10, "redis": 0.041, "eip": 0.005, "load-balancer": 0.0243, "endpoint": 0.014,
    "instance": 0.10, "key": 1 / 730,
}  # fmt: skip
GIGABYTE = {"volume": 0.096 / 730, "snapshot": 0.05 / 730, "aurora-snapshot": 0.023 / 730, "database-snapshot": 0.095 / 730}
SECRET = 0.40 / 730


@dataclass(frozen=True)
class Item:
    """One thing that exists.

    Attributes:
        kind: ``service:thing``, e.g. ``ec2:nat-gateway``.
        id: as its service names it.
        usd_per_hour: what it costs.
        remove: the command that removes it.
        by: how it was recognised as ours.
        aliases: other names Terraform's state may know it by.
    """

    kind: str
    id: str
    usd_per_hour: float
    remove: str
    by: By
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scope:
    """How this environment's things are recognised."""

    prefix: str
    region: str
    tags: Mapping[str, str]
    networks: frozenset[str]
    tagged: frozenset[str] = frozenset()
    """ARNs that carry our tags, or did until lately, as far as the tagging service knows."""

    def by(self, tags: Iterable[Mapping[str, str]] | None, name: str = "", network: str | None = None, arn: str = "") -> By | None:
        """How a thing that exists belongs to us; None: it does not."""
        held = values(tags)
        if held.items() >= self.tags.items() or arn in self.tagged:
            return "tag"
        if held.get("eks:eks-cluster-name") == self.prefix or f"kubernetes.io/cluster/{self.prefix}" in held:
            return "cluster"
        if any(key in held and held[key] != value for key, value in self.tags.items()):
            # Another environment's, whatever it is called.
            return None
        if network is not None and network in self.networks:
            return "network"
        return "name" if name and self.named(name) else None

    def named(self, name: str) -> bool:
        """Whether it is one of the names we give. ``genai-dev`` is not ours because ``genai`` is."""
        roles = r"-(cluster|node|litellm|langfuse|clickhouse|postgres|redis|redis7|1)"
        ending = rf"({roles}|-kept-\d{{14}}|-(langfuse|clickhouse)-[0-9a-f]{{6}}|/platform)?"
        return re.fullmatch(re.escape(self.prefix) + ending, name) is not None

    def command(self, words: str) -> str:
        return f"aws {words} --region {self.region}"


def networks(aws: Aws, tags: Mapping[str, str]) -> frozenset[str]:
    """The networks that carry our tags."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    return frozenset(vpc["VpcId"] for vpc in pages(aws, "ec2", "describe_vpcs", "Vpcs", Filters=filters))


def tagged(aws: Aws, tags: Mapping[str, str]) -> frozenset[str]:
    """ARNs of everything in the region that the tagging service knows with our tags. It remembers for a while what is gone."""
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    found = pages(aws, "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=filters)
    return frozenset(str(entry["ResourceARN"]) for entry in found)


_HIDING = frozenset({"describe_instances", "describe_volumes", "describe_network_interfaces", "describe_launch_templates"})
"""EC2 leaves out of these what services made for us, Auto Mode for one, unless it is asked for (EC2 API, 2016-11-15:
``IncludeManagedResources``; hidden by default in accounts that had none before April 2026)."""


def pages(aws: Aws, service: str, operation: str, entries: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """All entries of a listing, whether or not it comes in pages."""
    client = aws.client(service)
    if operation in _HIDING:
        arguments["IncludeManagedResources"] = True
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(entries, [])
    else:
        yield from getattr(client, operation)(**arguments).get(entries, [])


class Listing(NamedTuple):
    """A kind of thing that one operation lists."""

    kind: str
    operation: str
    entries: str
    key: str
    """Which field names a thing; its name is the last word of the command."""
    command: str
    cost: float = 0.0

    def item(self, scope: Scope, entry: Mapping[str, Any], by: By, extra: float = 0.0) -> Item:
        name = str(entry[self.key])
        return Item(self.kind, name, self.cost + extra, scope.command(f"{self.command} {name}"), by)
