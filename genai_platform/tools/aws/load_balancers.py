"""The load balancers that EKS Auto Mode makes for our ingresses: finding them, and waiting until they are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from genai_platform.engine.step import Progress
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent
from genai_platform.tools.aws.tags import values
from genai_platform.tools.wait import wait_for

_AT_ONCE = 20
"""ARNs that ``DescribeTags`` takes (Elastic Load Balancing API, 2015-12-01)."""
CLUSTER_TAG = "eks:eks-cluster-name"
"""Auto Mode puts this on what it makes; our own tags it cannot carry."""
_INGRESS_STACK = "ingress.eks.amazonaws.com/stack"
_SERVICE_STACK = "service.eks.amazonaws.com/stack"
"""Which ingresses (a group's name) or which Service a load balancer was made for."""


@dataclass(frozen=True)
class LoadBalancer:
    """One load balancer of the cluster."""

    arn: str
    name: str
    host: str
    zone_id: str
    """The hosted zone of its host name, for alias records."""


def of_cluster(aws: Aws, cluster: str) -> list[LoadBalancer]:
    """The load balancers of the group of ingresses that is named after the cluster; those of other groups and of Services are not."""
    client = aws.client("elbv2")
    with explained(f"list the load balancers of {cluster}"):
        found = [one for page in client.get_paginator("describe_load_balancers").paginate() for one in page["LoadBalancers"]]
        tags = {arn: values(own) for arn, own in tags_of(client, [one["LoadBalancerArn"] for one in found])}
    return [
        LoadBalancer(one["LoadBalancerArn"], one["LoadBalancerName"], one["DNSName"], one.get("CanonicalHostedZoneId", ""))
        for one in found
        if _of_group(tags.get(one["LoadBalancerArn"], {}), cluster)
    ]


def _of_group(tags: dict[str, str], cluster: str) -> bool:
    return tags.get(CLUSTER_TAG) == cluster and _SERVICE_STACK not in tags and tags.get(_INGRESS_STACK, cluster) == cluster


def tags_of(client: Any, arns: Sequence[str]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The tags of load balancers or target groups, as ``elbv2`` tells them; those that are gone by now are left out."""
    for start in range(0, len(arns), _AT_ONCE):
        some = arns[start : start + _AT_ONCE]
        answer = unless_absent(client.describe_tags, ResourceArns=some)
        if answer is not None:
            yield from ((one["ResourceArn"], one["Tags"]) for one in answer["TagDescriptions"])
        elif len(some) > 1:
            # One of them is gone, and none of the others was told.
            for arn in some:
                yield from tags_of(client, [arn])


def unhealthy(aws: Aws, cluster: str, name: str) -> str:
    """What the health checks of the group's load balancer say of an application's targets; empty where all of them pass.

    Raises:
        StepError: AWS does not say, e.g. for want of a permission.
    """
    client = aws.client("elbv2")
    with explained(f"ask for the health of {name}'s targets"):
        balancers = of_cluster(aws, cluster)
        groups = [group for one in balancers for group in client.describe_target_groups(LoadBalancerArn=one.arn)["TargetGroups"]]
        # The controller writes the application's name into those of its target groups, shortened to eight characters.
        own = [group for group in groups if f"-{name[:8]}-" in group["TargetGroupName"]] or groups
        found = {
            group["TargetGroupName"]: client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
            for group in own
        }
    health = [(group, target["TargetHealth"]) for group, targets in found.items() for target in targets]
    told = [
        f"target of {group}: {': '.join(filter(None, (said['State'], said.get('Reason'), said.get('Description'))))}"
        for group, said in health
        if said["State"] != "healthy"
    ]
    empty = [f"target group {group} has no target yet" for group, targets in found.items() if not targets]
    return "; ".join(dict.fromkeys([*told, *empty]))


def wait_gone(aws: Aws, cluster: str, progress: Progress, timeout: float) -> None:
    """Wait until the group's load balancer is gone. While one exists, its network cannot be deleted."""
    left: list[LoadBalancer] = []

    def look() -> bool | None:
        nonlocal left
        left = of_cluster(aws, cluster)
        return None if left else True

    wait_for(look, progress, lambda: f"waiting for load balancer {', '.join(one.name for one in left)} to go", timeout, interval=3.0)
