"""A few named shapes of the platform, to choose between by what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genai_platform.config.settings import Settings


@dataclass(frozen=True)
class Preset:
    """One shape: the values it has instead of the configured ones, by their key."""

    description: str
    values: Mapping[str, Any]

    def applied(self, settings: Settings) -> Settings:
        """These settings in this shape. To price, not to build: what else a shape needs (a tenant, say) is not looked at."""
        for key, value in self.values.items():
            settings = _with(settings, key.split("."), value)
        return settings


def _with(table: Any, path: list[str], value: Any) -> Any:
    first, *rest = path
    return table.model_copy(update={first: _with(getattr(table, first), rest, value) if rest else value})


_SMALL = {"azure.enabled": False, "litellm.replicas": 1, "network.nat": "single"}
_GATEWAY = {**_SMALL, "azure.enabled": True, "azure.apim.existing": None, "azure.apim.sku": "BasicV2"}
_AVAILABLE = {**_GATEWAY, "litellm.replicas": 2, "network.nat": "per-zone"}

PRESETS: Mapping[str, Preset] = {
    "small": Preset("AWS alone, one LiteLLM pod, one NAT gateway", _SMALL),
    "gateway": Preset("small, with API Management BasicV2 in front", _GATEWAY),
    "available": Preset("gateway, with two LiteLLM pods and a NAT gateway in each zone", _AVAILABLE),
    "production": Preset("available, with API Management StandardV2", {**_AVAILABLE, "azure.apim.sku": "StandardV2"}),
}
