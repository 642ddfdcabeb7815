"""What the platform costs an hour, roughly: the parts that cost whether they are used or not.

Each part is a number of units, by the settings; what a unit costs is in ``config/unit_prices.py``. Requests, tokens, traffic and
stored bytes come on top.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from genai_platform.config.settings import Settings
from genai_platform.config.unit_prices import NODE_INSTANCE, TABLE, TABLE_SOURCE, Prices

HOURS_A_DAY, DAYS_A_MONTH = 8, 22
"""A working day, and the working days of a month."""

_NODE_GB = 84  # Auto Mode's NodeClass: 80 GiB of ephemeral storage and a small root volume
_CLAIMS_GB = 28
_LOAD_BALANCER_ZONES = 2


@dataclass(frozen=True)
class Part:
    """Something that costs while it exists.

    Attributes:
        step: the step whose presence makes it cost.
        part: what it is, for people.
        units: how many of which unit.
    """

    step: str
    part: str
    units: tuple[tuple[float, str], ...]

    def usd_per_hour(self, prices: Prices = TABLE) -> float:
        """Units times their prices."""
        return sum(quantity * prices[unit].usd_per_hour for quantity, unit in self.units)


def parts(settings: Settings) -> tuple[Part, ...]:
    """Every part with a price for these settings."""
    gateways = settings.network.zones if settings.network.nat == "per-zone" else 1
    nodes = 2 + (settings.litellm.replicas - 1) // 2
    volumes = nodes * _NODE_GB + _CLAIMS_GB
    nat = f"{gateways} NAT gateway{'s' if gateways > 1 else ''} with address"
    balancer = ((1, "load-balancer"), (1, "load-balancer-lcu"), (_LOAD_BALANCER_ZONES, "public-ipv4"))
    found = [
        Part("infra.secrets", "secret in Secrets Manager", ((1, "secret"),)),
        Part("infra.network", nat, ((gateways, "nat-gateway"), (gateways, "public-ipv4"))),
        Part("infra.cluster", "EKS control plane", ((1, "eks-cluster"),)),
        Part("infra.data", "Aurora PostgreSQL Serverless v2, 0.5 ACU", ((0.5, "aurora-acu"),)),
        Part("infra.data", "Redis, one small node", ((1, "redis-node"),)),
        Part("litellm.ingress", "load balancer with addresses", balancer),
        Part("langfuse.chart", f"about {nodes} nodes (Auto Mode), as {NODE_INSTANCE}", ((nodes, "node"), (nodes, "node-auto-mode"))),
        Part("langfuse.chart", f"volumes, about {volumes} GB", ((volumes, "volume-gb"),)),
    ]
    if settings.azure.enabled and settings.azure.apim.existing is None:
        unit = f"apim-{settings.azure.apim.sku}"
        found.append(Part("azure.service", f"API Management {settings.azure.apim.sku}", ((1, unit),) if unit in TABLE else ()))
    return tuple(found)


def usd_per_hour(settings: Settings, present: Iterable[str] | None = None, prices: Prices = TABLE) -> float:
    """The sum; with ``present``, of the parts whose step is present."""
    there = None if present is None else frozenset(present)
    return round(sum(part.usd_per_hour(prices) for part in parts(settings) if there is None or part.step in there), 4)


def region_of(unit: str, settings: Settings) -> str:
    """The region in which these settings pay for a unit."""
    return settings.azure.location if unit.startswith("apim-") else settings.platform.region


def provenance(settings: Settings, prices: Prices = TABLE) -> list[str]:
    """Where the prices of these settings come from and of when they are, for people; one line a source, with the units
    it has where there are several."""
    used = sorted({unit for part in parts(settings) for _, unit in part.units})
    lines: dict[str, list[str]] = {}
    for unit in used:
        price, region = prices[unit], region_of(unit, settings)
        approximate = " (approximate list prices)" if price.source == TABLE_SOURCE else ""
        elsewhere = f"; {region} differs" if region != price.region else ""
        lines.setdefault(f"{price.told}{approximate}{elsewhere}", []).append(unit)
    return [f"prices: {line}" + (f": {', '.join(units)}" if len(lines) > 1 else "") for line, units in lines.items()]
