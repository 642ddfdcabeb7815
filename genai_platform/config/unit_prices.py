"""What one unit of something costs an hour, with region, date and source: a table kept here by hand, and the prices that replace it.

US dollars, list prices on demand, without tax. What an environment is made of is in ``config/prices.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOURS_A_MONTH = 730
AWS_REGION, AZURE_REGION = "ap-northeast-1", "japaneast"
"""The regions of the table (Tokyo)."""
NODE_INSTANCE = "m6a.large"
"""What a node of EKS Auto Mode is priced as: 2 vCPU, 8 GiB, amd64. Auto Mode chooses among the instances that fit."""
REDIS_NODE = "cache.t4g.small"
"""As ``terraform/data`` makes it."""
APIM_METERS = {
    "Developer": "Developer", "Basic": "Basic", "Standard": "Standard", "Premium": "Premium",
    "BasicV2": "Basic v2", "StandardV2": "Standard v2",
}  # fmt: skip
"""The tiers that are paid by the hour, as Azure's price list spells them. ``Consumption`` is paid by the request."""
TABLE_SOURCE = "built-in table"
_WRITTEN = "2026-11-29"


@dataclass(frozen=True)
class UnitPrice:
    """What one unit costs.

    Attributes:
        usd_per_hour: also of what is sold by the month, which has 730 hours.
        region: the cloud's region that it is asked in.
        date: when it was looked up, ISO 8601.
        source: for people.
        page: where the provider tells it.
    """

    usd_per_hour: float
    region: str
    date: str
    source: str
    page: str = ""

    @property
    def told(self) -> str:
        """Where it comes from, in a few words."""
        return f"{self.source} of {self.date}, {self.region}"


Prices = Mapping[str, UnitPrice]
"""Unit prices by the name of the unit."""


def _aws(usd_per_hour: float, page: str) -> UnitPrice:
    return UnitPrice(usd_per_hour, AWS_REGION, _WRITTEN, TABLE_SOURCE, f"https://aws.amazon.com/{page}/pricing/")


def _apim(usd_per_hour: float) -> UnitPrice:
    return UnitPrice(usd_per_hour, AZURE_REGION, _WRITTEN, TABLE_SOURCE, "https://azure.microsoft.com/pricing/details/api-management/")


TABLE: Prices = {
    "secret": _aws(0.40 / HOURS_A_MONTH, "secrets-manager"),
    "nat-gateway": _aws(0.062, "vpc"),
    "public-ipv4": _aws(0.005, "vpc"),
    "eks-cluster": _aws(0.10, "eks"),
    "aurora-acu": _aws(0.15, "rds/aurora"),
    "redis-node": _aws(0.05, "elasticache"),
    "load-balancer": _aws(0.0243, "elasticloadbalancing"),
    "load-balancer-lcu": _aws(0.008, "elasticloadbalancing"),
    "node": _aws(0.1116, "ec2"),
    "node-auto-mode": _aws(0.0134, "eks"),
    "volume-gb": _aws(0.096 / HOURS_A_MONTH, "ebs"),
    "apim-Developer": _apim(0.07),
    "apim-Basic": _apim(0.21),
    "apim-Standard": _apim(0.95),
    "apim-Premium": _apim(3.83),
    "apim-BasicV2": _apim(0.21),
    "apim-StandardV2": _apim(0.96),
}
"""Approximate prices of Tokyo: an estimate to decide with, not a bill."""


def apim_usd_per_hour(sku: str) -> float:
    """An API Management service of this tier, one unit; 0 for a tier that is not paid by the hour."""
    price = TABLE.get(f"apim-{sku}")
    return price.usd_per_hour if price else 0.0
