"""Unit prices from the AWS Price List Query API (``pricing:GetProducts``).

Sources: "AWS Price List Query API" in the AWS Billing user guide, and the API reference of ``GetProducts``: each entry of
``PriceList`` is a JSON document with ``product.attributes`` and ``terms.OnDemand``. The usage types are those on bills; outside
us-east-1 they begin with a short name of the region (``APN1-NatGateway-Hours``). Not run against the real service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genai_platform.config.unit_prices import HOURS_A_MONTH, NODE_INSTANCE, REDIS_NODE
from genai_platform.errors import StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained

_ENDPOINT = "us-east-1"
"""One of the few regions that answer; they answer for all."""


@dataclass(frozen=True)
class _Query:
    """Which product is one unit: ``filters`` narrow what AWS sends, ``usage`` decides (without the region's short name)."""

    service: str
    usage: str
    per: str
    """``hour`` or ``month``, as its ``unit`` must say."""
    filters: tuple[tuple[str, str], ...] = ()


_UNITS = {
    "hour": re.compile(r"(acu-|lcu-)?(hrs?|hours?)", re.IGNORECASE),
    "month": re.compile(r"gb-mo(nth)?s?|secrets?(-mo(nth)?)?", re.IGNORECASE),
}
_INSTANCE = (
    ("instanceType", NODE_INSTANCE), ("operatingSystem", "Linux"), ("tenancy", "Shared"),
    ("preInstalledSw", "NA"), ("capacitystatus", "Used"),
)  # fmt: skip
_BALANCER = (("productFamily", "Load Balancer-Application"),)
_QUERIES: Mapping[str, _Query] = {
    "secret": _Query("AWSSecretsManager", "AWSSecretsManager-Secrets", "month"),
    "nat-gateway": _Query("AmazonEC2", "NatGateway-Hours", "hour", (("productFamily", "NAT Gateway"),)),
    "public-ipv4": _Query("AmazonVPC", "PublicIPv4:InUseAddress", "hour"),
    "eks-cluster": _Query("AmazonEKS", "AmazonEKS-Hours:perCluster", "hour"),
    "node-auto-mode": _Query("AmazonEKS", f"EKS-Auto:{NODE_INSTANCE}-management-hours", "hour"),
    "aurora-acu": _Query("AmazonRDS", "Aurora:ServerlessV2Usage", "hour", (("databaseEngine", "Aurora PostgreSQL"),)),
    "redis-node": _Query("AmazonElastiCache", f"NodeUsage:{REDIS_NODE}", "hour", (("instanceType", REDIS_NODE), ("cacheEngine", "Redis"))),
    "load-balancer": _Query("AWSELB", "LoadBalancerUsage", "hour", _BALANCER),
    "load-balancer-lcu": _Query("AWSELB", "LCUUsage", "hour", _BALANCER),
    "node": _Query("AmazonEC2", f"BoxUsage:{NODE_INSTANCE}", "hour", _INSTANCE),
    "volume-gb": _Query("AmazonEC2", "EBS:VolumeUsage.gp3", "month", (("productFamily", "Storage"), ("volumeApiName", "gp3"))),
}


def fetch(aws: Aws, region: str) -> dict[str, float]:
    """US dollars an hour by unit, of the units whose price was found without doubt.

    Raises:
        GenaiError: AWS could not be reached, refused, or answered with something else.
    """
    answers: dict[tuple[str, tuple[tuple[str, str], ...]], list[dict[str, Any]]] = {}
    found: dict[str, float] = {}
    for unit, query in _QUERIES.items():
        key = (query.service, query.filters)
        if key not in answers:
            answers[key] = list(_products(aws, query, region))
        # Several different prices for one unit: which one is meant cannot be known.
        if len(prices := {price for product in answers[key] if (price := _price(product, query)) is not None}) == 1:
            found[unit] = prices.pop()
    return found


def _products(aws: Aws, query: _Query, region: str) -> Iterator[dict[str, Any]]:
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in (("regionCode", region), *query.filters)]
    with explained(f"read the prices of {query.service}"):
        pages = aws.client("pricing", _ENDPOINT).get_paginator("get_products")
        for page in pages.paginate(ServiceCode=query.service, Filters=filters, FormatVersion="aws_v1"):
            for text in page["PriceList"]:
                try:
                    product = json.loads(text)
                except ValueError:
                    product = None
                if not isinstance(product, dict):
                    raise StepError(f"could not read the prices of {query.service}: AWS sent something else than JSON", id="prices.answer")
                yield product


def _price(product: Mapping[str, Any], query: _Query) -> float | None:
    """The first dollars on demand, an hour; None when this is another product or says it in another way."""
    try:
        usage = product["product"]["attributes"]["usagetype"]
        if not re.fullmatch(rf"([A-Z]{{2,4}}[0-9]*-)?{re.escape(query.usage)}", usage):
            return None
        (term,) = product["terms"]["OnDemand"].values()
        (dimension,) = [one for one in term["priceDimensions"].values() if one.get("beginRange", "0") == "0"]
        if not _UNITS[query.per].fullmatch(dimension["unit"]):
            return None
        price = float(dimension["pricePerUnit"]["USD"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return price / (HOURS_A_MONTH if query.per == "month" else 1) if price > 0 else None
