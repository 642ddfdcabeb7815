"""Finders: one a service, each listing what it can see and saying how it was recognised."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from genai_platform.errors import ConfigError
from genai_platform.tools import aws_dns
from genai_platform.tools.aws import Aws
from genai_platform.tools.aws_finders_network import (
    addresses,
    inside_networks,
    instances,
    load_balancers,
    nat_gateways,
    snapshots,
    volumes,
    vpcs,
)
from genai_platform.tools.aws_items import GIGABYTE, SECRET, USD, Item, Listing, Scope, pages

Finder = Callable[[Aws, Scope], Iterator[Item]]


def clusters(aws: Aws, scope: Scope) -> Iterator[Item]:
    found = aws.describe_cluster(scope.prefix)
    if found is not None and found.get("status") != "DELETING":
        yield Item("eks:cluster", scope.prefix, USD["eks"], scope.command(f"eks delete-cluster --name {scope.prefix}"), "name")


_DATABASES = (
    Listing(
        "rds:instance",
        "describe_db_instances",
        "DBInstances",
        "DBInstanceIdentifier",
        "rds delete-db-instance --skip-final-snapshot --db-instance-identifier",
        USD["aurora"],
    ),
    Listing(
        "rds:cluster",
        "describe_db_clusters",
        "DBClusters",
        "DBClusterIdentifier",
        "rds delete-db-cluster --skip-final-snapshot --db-cluster-identifier",
    ),
    Listing(
        "rds:cluster-snapshot",
        "describe_db_cluster_snapshots",
        "DBClusterSnapshots",
        "DBClusterSnapshotIdentifier",
        "rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier",
    ),
    Listing(
        "rds:subnet-group",
        "describe_db_subnet_groups",
        "DBSubnetGroups",
        "DBSubnetGroupName",
        "rds delete-db-subnet-group --db-subnet-group-name",
    ),
    Listing(
        "rds:parameter-group",
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroups",
        "DBClusterParameterGroupName",
        "rds delete-db-cluster-parameter-group --db-cluster-parameter-group-name",
    ),
)


def databases(aws: Aws, scope: Scope) -> Iterator[Item]:
    for listing in _DATABASES:
        for entry in pages(aws, "rds", listing.operation, listing.entries):
            by = scope.by(entry.get("TagList"), name=entry[listing.key])
            automatic = entry.get("SnapshotType") == "automated"  # goes with its cluster, and only so
            if by and not automatic and entry.get("Status", entry.get("DBInstanceStatus")) != "deleting":
                size = entry.get("AllocatedStorage", 0) if listing.kind == "rds:cluster-snapshot" else 0
                yield listing.item(scope, entry, by, size * GIGABYTE["aurora-snapshot"])


_CACHES = (
    Listing(
        "elasticache:replication-group",
        "describe_replication_groups",
        "ReplicationGroups",
        "ReplicationGroupId",
        "elasticache delete-replication-group --replication-group-id",
        USD["redis"],
    ),
    Listing(
        "elasticache:subnet-group",
        "describe_cache_subnet_groups",
        "CacheSubnetGroups",
        "CacheSubnetGroupName",
        "elasticache delete-cache-subnet-group --cache-subnet-group-name",
    ),
    Listing(
        "elasticache:parameter-group",
        "describe_cache_parameter_groups",
        "CacheParameterGroups",
        "CacheParameterGroupName",
        "elasticache delete-cache-parameter-group --cache-parameter-group-name",
    ),
)


def caches(aws: Aws, scope: Scope) -> Iterator[Item]:
    for listing in _CACHES:
        for entry in pages(aws, "elasticache", listing.operation, listing.entries):
            if scope.named(entry[listing.key]) and entry.get("Status") != "deleting":
                yield listing.item(scope, entry, "name")


def buckets(aws: Aws, scope: Scope) -> Iterator[Item]:
    for entry in pages(aws, "s3", "list_buckets", "Buckets"):
        name = entry["Name"]
        if scope.named(name):
            yield Item("s3:bucket", name, 0, f"aws s3 rb --force s3://{name}", "name")


def secrets(aws: Aws, scope: Scope) -> Iterator[Item]:
    for entry in pages(aws, "secretsmanager", "list_secrets", "SecretList"):
        by = scope.by(entry.get("Tags"), name=entry["Name"])
        if by:
            remove = scope.command(f"secretsmanager delete-secret --force-delete-without-recovery --secret-id {entry['Name']}")
            yield Item("secretsmanager:secret", entry["Name"], SECRET, remove, by, frozenset({entry["ARN"]}))


def identities(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("iam")
    for entry in pages(aws, "iam", "list_roles", "Roles"):
        name = entry["RoleName"]
        if scope.named(name):
            # A role goes only without its policies.
            attached = pages(aws, "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
            words = [f"aws iam detach-role-policy --role-name {name} --policy-arn {policy['PolicyArn']}" for policy in attached]
            inline = client.list_role_policies(RoleName=name)["PolicyNames"]
            words += [f"aws iam delete-role-policy --role-name {name} --policy-name {policy}" for policy in inline]
            yield Item("iam:role", name, 0, " && ".join([*words, f"aws iam delete-role --role-name {name}"]), "name")
    for entry in pages(aws, "iam", "list_policies", "Policies", Scope="Local"):
        if scope.named(entry["PolicyName"]):
            yield Item("iam:policy", entry["Arn"], 0, f"aws iam delete-policy --policy-arn {entry['Arn']}", "name")
    for entry in client.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        arn = entry["Arn"]
        by = scope.by(client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn).get("Tags"))
        if by:
            yield Item("iam:oidc-provider", arn, 0, f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}", by)


def certificates(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("acm")
    for entry in pages(aws, "acm", "list_certificates", "CertificateSummaryList", Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]}):
        arn = entry["CertificateArn"]
        by = scope.by(client.list_tags_for_certificate(CertificateArn=arn)["Tags"])
        if by:
            yield Item("acm:certificate", arn, 0, scope.command(f"acm delete-certificate --certificate-arn {arn}"), by)


def records(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Of the configured domain: the names of both applications, and what proved to ACM that they are ours."""
    domain = aws.target.settings.ingress.domain
    if domain is None:
        return
    try:
        zone = aws_dns.zone_of(aws, domain)
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
    for start in (f"/aws/eks/{scope.prefix}/", f"/aws/rds/cluster/{scope.prefix}/", f"/aws/containerinsights/{scope.prefix}/"):
        for entry in pages(aws, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=start):
            name = entry["logGroupName"]
            yield Item("logs:log-group", name, 0, scope.command(f"logs delete-log-group --log-group-name {name}"), "name")


def tagged(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Whatever else carries our tags, in services nobody thought of."""
    filters = [{"Key": key, "Values": [value]} for key, value in scope.tags.items()]
    for entry in pages(aws, "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=filters):
        arn = entry["ResourceARN"]
        service, rest = arn.split(":")[2], arn.split(":", 5)[5]
        kind = f"{service}:{re.split('[:/]', rest)[0]}"
        # The tagging service remembers for a while what is gone: where there is a finder, the finder is asked.
        if service not in _COVERED and kind not in _COVERED:
            yield Item(kind, arn, 0, f"# look at {arn} in the console of {service}", "tag")


_COVERED = frozenset({"acm", "eks", "elasticache", "elasticloadbalancing", "iam", "logs", "rds", "s3", "secretsmanager"}) | {
    f"ec2:{kind}" for kind in (
        "elastic-ip", "instance", "internet-gateway", "natgateway", "network-interface", "route-table", "security-group",
        "security-group-rule", "snapshot", "subnet", "volume", "vpc", "vpc-endpoint",
    )
}  # fmt: skip


FINDERS: Mapping[str, Finder] = {
    "instances": instances, "volumes": volumes, "snapshots": snapshots, "addresses": addresses, "nat gateways": nat_gateways,
    "networks": vpcs, "parts of networks": inside_networks, "load balancers": load_balancers, "clusters": clusters,
    "databases": databases, "caches": caches, "buckets": buckets, "secrets": secrets, "identities": identities,
    "certificates": certificates, "records": records, "log groups": log_groups, "tagged resources": tagged,
}  # fmt: skip
