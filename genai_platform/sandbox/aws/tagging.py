"""The tagging API: clusters, elastic addresses and VPC endpoints are found by tag too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import moto.resourcegroupstaggingapi.models as tagging
from moto.core.resource_tagging import TaggedResource
from moto.ec2.models import EC2Backend
from moto.eks.models import eks_backends

from genai_platform.sandbox.aws.stand_in import AwsStandIn


class _Clusters:
    """EKS as the tagging API sees a service."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def iter_tagged_resources(self) -> Iterator[Any]:
        for cluster in self._backend.clusters.values():
            yield TaggedResource(arn=cluster.arn, tags=dict(cluster.tags), resource_type="eks:cluster")

    def owns_arn(self, arn: str) -> bool:
        return arn.startswith("arn:aws:eks:")

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._backend.tag_resource(arn, tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._backend.untag_resource(arn, tag_keys)


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's tagging API."""
    known, of_ec2 = tagging.iter_taggable_backends, EC2Backend.iter_tagged_resources

    def iter_tagged_resources(self: Any) -> Iterator[Any]:
        yield from of_ec2(self)
        endpoints = [(one.id, "vpc-endpoint") for one in self.vpc_end_points.values() if one.state != "deleted"]
        addresses = [(one.allocation_id, "elastic-ip") for one in self.addresses if one.allocation_id]
        for number, kind in [*endpoints, *addresses]:
            arn = f"arn:aws:ec2:{self.region_name}:{self.account_id}:{kind}/{number}"
            yield TaggedResource(arn=arn, tags=dict(self.tags.get(number, {})), resource_type=f"ec2:{kind}")

    def iter_taggable_backends(account_id: str, region_name: str) -> Iterator[Any]:
        yield from known(account_id, region_name)
        yield _Clusters(eks_backends[account_id][region_name])

    tagging.iter_taggable_backends = iter_taggable_backends
    EC2Backend.iter_tagged_resources = iter_tagged_resources
