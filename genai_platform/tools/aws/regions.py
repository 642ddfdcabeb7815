"""AWS's regions, as an account sees them."""

from __future__ import annotations

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained


def enabled(aws: Aws) -> list[str]:
    """The regions that the account has enabled (EC2, ``DescribeRegions``). Raises ``GenaiError``."""
    with explained("list the account's regions"):
        return sorted(str(region["RegionName"]) for region in aws.client("ec2").describe_regions()["Regions"])
