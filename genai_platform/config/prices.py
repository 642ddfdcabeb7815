"""What the platform costs an hour, roughly: the parts that cost whether they are used or not.

US dollars, ap-northeast-1 (Tokyo), on demand, without tax. The figures are approximate list prices, kept here by hand and
not read from the providers: an estimate to decide with, not a bill. Requests, tokens, traffic and stored bytes come on
top; other regions differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.config.settings import Settings

SOURCE = "approximate list prices, on demand, ap-northeast-1: an estimate; check the providers' calculators"
HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Price:
    """One part's price while it exists."""

    step: str
    """The step whose presence makes it cost."""
    part: str
    usd_per_hour: float


_EKS = 0.10
_NODE = 0.1104  # a general-purpose large instance with Auto Mode's fee
_VOLUME_GB_HOUR = 0.096 / HOURS_A_MONTH
_NODE_GB = 84  # Auto Mode's NodeClass: 80 GiB of ephemeral storage beside a small root volume
_CLAIMS_GB = 28
_NAT = 0.062
_ADDRESS = 0.005
_ACU = 0.15
_REDIS = 0.025
_LOAD_BALANCER = 0.0243 + 0.008
_SECRET = 0.40 / HOURS_A_MONTH
_APIM = {
    "Consumption": 0.0, "Developer": 0.07, "Basic": 0.21, "Standard": 0.95, "Premium": 3.83,
    "BasicV2": 0.21, "StandardV2": 0.96,
}  # fmt: skip
_ZONES_OF_THE_DOOR = 2


def apim_usd_per_hour(sku: str) -> float:
    """An API Management service of this tier, one unit."""
    return _APIM.get(sku, 0.0)


def prices(settings: Settings) -> tuple[Price, ...]:
    """Every part with a price for these settings."""
    gateways = settings.network.zones if settings.network.nat == "per-zone" else 1
    nodes = 2 + (settings.litellm.replicas - 1) // 2
    volumes = nodes * _NODE_GB + _CLAIMS_GB
    found = [
        Price("infra.secrets", "secret in Secrets Manager", _SECRET),
        Price("infra.network", f"{gateways} NAT gateway{'s' if gateways > 1 else ''} with address", gateways * (_NAT + _ADDRESS)),
        Price("infra.cluster", "EKS control plane", _EKS),
        Price("infra.data", "Aurora PostgreSQL Serverless v2, 0.5 ACU", 0.5 * _ACU),
        Price("infra.data", "Redis, one small node", _REDIS),
        Price("litellm.ingress", "load balancer with addresses", _LOAD_BALANCER + _ZONES_OF_THE_DOOR * _ADDRESS),
        Price("langfuse.chart", f"about {nodes} nodes (Auto Mode)", nodes * _NODE),
        Price("langfuse.chart", f"volumes, about {volumes} GB", volumes * _VOLUME_GB_HOUR),
    ]
    if settings.azure.enabled and settings.azure.apim.existing is None:
        sku = settings.azure.apim.sku
        found.append(Price("azure.service", f"API Management {sku}", _APIM[sku]))
    return tuple(found)


def usd_per_hour(settings: Settings, present: frozenset[str] | None = None) -> float:
    """The sum; with ``present``, of the parts whose step is present."""
    return round(sum(price.usd_per_hour for price in prices(settings) if present is None or price.step in present), 4)
