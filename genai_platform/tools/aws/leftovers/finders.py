"""Finders: one a service, each listing what it can see and saying how it was recognised."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from genai_platform.errors import ConfigError
from genai_platform.tools.aws import route53
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.leftovers import data, identity, network
from genai_platform.tools.aws.leftovers.items import USD, By, Item, Scope, pages

Finder = Callable[[Aws, Scope], Iterator[Item]]


def clusters(aws: Aws, scope: Scope) -> Iterator[Item]:
    tagged = {arn.rpartition("/")[2] for arn in scope.tagged if ":eks:" in arn and ":cluster/" in arn}
    for name in sorted({scope.prefix, *tagged}):
        found = aws.describe_cluster(name)
        if found is not None and found.get("status") != "DELETING":
            by: By = "name" if name == scope.prefix else "tag"
            yield Item("eks:cluster", name, USD["eks"], scope.command(f"eks delete-cluster --name {name}"), by)


def records(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Of the configured domain: the names of both applications, and what proved to ACM that they are ours."""
    domain = aws.target.settings.ingress.domain
    if domain is None:
        return
    try:
        zone = route53.zone_of(aws, domain)
    except ConfigError:
        return  # without a zone there are no records
    hosts = tuple(f"{name}.{domain}" for name in ("litellm", "langfuse"))
    for entry in pages(aws, "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone):
        name, kind = entry["Name"].rstrip("."), entry["Type"]
        proof = kind == "CNAME" and name.startswith("_") and name.partition(".")[2] in hosts
        if (name in hosts and "AliasTarget" in entry) or proof:
            batch = json.dumps({"Changes": [{"Action": "DELETE", "ResourceRecordSet": entry}]})
            remove = f"aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch {shlex.quote(batch)}"
            yield Item("route53:record", f"{kind} {name}", 0, remove, "name")


def log_groups(aws: Aws, scope: Scope) -> Iterator[Item]:
    """What the services write for us by name, and whatever group carries our tags."""
    things = (f"eks/{scope.prefix}", f"containerinsights/{scope.prefix}", f"rds/cluster/{scope.prefix}", f"rds/instance/{scope.prefix}-1")
    own = tuple(f"/aws/{thing}/" for thing in things)
    tagged = {arn.partition(":log-group:")[2].removesuffix(":*") for arn in scope.tagged if ":log-group:" in arn}
    found: dict[str, By] = {}
    for start in (*own, *sorted(tagged)):
        for entry in pages(aws, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=start):
            name = entry["logGroupName"]
            if start in own or name in tagged:
                found.setdefault(name, "tag" if name in tagged else "name")
    for name, by in found.items():
        yield Item("logs:log-group", name, 0, scope.command(f"logs delete-log-group --log-group-name {name}"), by)


def tagged(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Whatever else carries our tags, in services nobody thought of."""
    for arn in sorted(scope.tagged):
        service, rest = arn.split(":")[2], arn.split(":", 5)[5]
        kind = f"{service}:{re.split('[:/]', rest)[0]}"
        # What is gone is remembered for a while: where there is a finder, that one looks whether it exists.
        if service not in _COVERED and kind not in _COVERED:
            yield Item(kind, arn, 0, f"# look at {arn} in the console of {service}", "tag")


_COVERED = frozenset({"acm", "eks", "elasticache", "elasticloadbalancing", "iam", "kms", "logs", "rds", "s3", "secretsmanager"}) | {
    f"ec2:{kind}" for kind in (
        "elastic-ip", "instance", "internet-gateway", "launch-template", "natgateway", "network-interface", "route-table",
        "security-group", "security-group-rule", "snapshot", "subnet", "volume", "vpc", "vpc-endpoint",
    )
}  # fmt: skip


FINDERS: Mapping[str, Finder] = {
    "instances": network.instances, "launch templates": network.launch_templates, "volumes": network.volumes,
    "snapshots": network.snapshots, "addresses": network.addresses, "nat gateways": network.nat_gateways, "networks": network.vpcs,
    "parts of networks": network.inside_networks, "load balancers": network.load_balancers, "clusters": clusters,
    "databases": data.databases, "caches": data.caches, "buckets": data.buckets, "secrets": data.secrets, "roles": identity.roles,
    "identity providers": identity.identity_providers, "certificates": identity.certificates, "keys": identity.keys,
    "records": records, "log groups": log_groups, "tagged resources": tagged,
}  # fmt: skip
