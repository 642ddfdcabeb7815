"""Microsoft.CognitiveServices: which models a region offers, under which SKUs, and how much of a subscription's quota is used.

The list is a part of the real one (Microsoft Learn, "Azure OpenAI models", read November 2026). A subscription's limits are those
of ``LIMIT`` unless the collection ``quotas`` has an entry: id ``SUBSCRIPTION/REGION/USAGE NAME``, with ``limit``.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.arm import Arm
from genai_platform.sandbox.azure.arm_call import Body, Call, in_subscription, region
from genai_platform.sandbox.azure.store import Store

LIMIT = 1000
"""Thousands of tokens a minute, for each model and SKU in a region."""
_ZONES = ("eastus", "eastus2", "westus", "westus3", "northcentralus", "southcentralus", "swedencentral", "westeurope", "francecentral")
"""Regions with the SKU DataZoneStandard."""


class Model(NamedTuple):
    """A model that can be deployed."""

    name: str
    version: str
    capability: str
    skus: tuple[str, ...] = ("Standard", "GlobalStandard", "DataZoneStandard")


_MODELS = (
    Model("gpt-4.1", "2025-04-14", "chatCompletion"),
    Model("gpt-4.1-mini", "2025-04-14", "chatCompletion"),
    Model("gpt-4o", "2024-11-20", "chatCompletion"),
    Model("gpt-4o-mini", "2024-07-18", "chatCompletion"),
    Model("gpt-5", "2025-08-07", "chatCompletion", ("GlobalStandard", "DataZoneStandard")),
    Model("gpt-5-mini", "2025-08-07", "chatCompletion", ("GlobalStandard", "DataZoneStandard")),
    Model("o4-mini", "2025-04-16", "chatCompletion", ("GlobalStandard", "DataZoneStandard")),
    Model("text-embedding-3-large", "1", "embeddings"),
    Model("text-embedding-3-small", "1", "embeddings", ("Standard", "GlobalStandard")),
)


def offered(location: object) -> list[Model]:
    """The models of a region, with the SKUs that it has."""
    zoned = region(location) in _ZONES
    return [one._replace(skus=tuple(sku for sku in one.skus if zoned or sku != "DataZoneStandard")) for one in _MODELS]


def usage_name(sku: str, model: str) -> str:
    """The name of a quota."""
    return f"OpenAI.{sku}.{model}"


def used(store: Store, subscription: str, location: object, name: str, without: str = "") -> int:
    """How much of a quota the deployments of a subscription take, those of deleted accounts included until they are purged.

    Args:
        without: id of a deployment that is left out.
    """
    accounts = [entry for entry in store.all("arm", f"/subscriptions/{subscription}/") if entry["type"].endswith("/accounts")]
    found = [(account, entry) for account in accounts for entry in store.all("arm", account["id"] + "/deployments/")]
    for deleted in store.all("deletedAccounts"):
        if in_subscription(deleted["resource"], subscription):
            found += [(deleted["resource"], entry) for entry in deleted["below"] if "/deployments/" in entry["id"]]
    return sum(
        int(entry["sku"]["capacity"])
        for account, entry in found
        if entry["id"].lower() != without.lower()
        and region(account["location"]) == region(location)
        and usage_name(entry["sku"]["name"], entry["properties"]["model"]["name"]) == name
    )


def limit(store: Store, subscription: str, location: object, name: str) -> int:
    """The most that a subscription may have of it."""
    return int((store.get("quotas", f"{subscription}/{region(location)}/{name}") or {}).get("limit", LIMIT))


def models(arm: Arm, call: Call) -> Response:
    """``locations/{location}/models``."""
    entries = [{"kind": "OpenAI", "skuName": "S0", "model": described(model)} for model in offered(call.id.split("/")[6])]
    return JSONResponse({"value": entries})


def usages(arm: Arm, call: Call) -> Response:
    """``locations/{location}/usages``."""
    store, location = arm.azure.store, call.id.split("/")[6]
    quotas = {usage_name(sku, model.name): title(sku, model.name) for model in offered(location) for sku in model.skus}
    entries = [
        {
            "name": {"value": name, "localizedValue": shown},
            "currentValue": used(store, call.subscription, location, name),
            "limit": limit(store, call.subscription, location, name),
            "unit": "Count",
        }
        for name, shown in quotas.items()
    ]
    return JSONResponse({"value": entries})


def title(sku: str, model: str) -> str:
    """A quota as messages name it."""
    return f"Tokens Per Minute (thousands) - {model}" + ("" if sku == "Standard" else f" - {sku}")


def described(model: Model) -> Body:
    """A model as the lists show it."""
    capacity = {"minimum": 1, "maximum": LIMIT, "step": 1, "default": 10}
    return {
        "format": "OpenAI",
        "name": model.name,
        "version": model.version,
        "isDefaultVersion": True,
        "lifecycleStatus": "GenerallyAvailable",
        "capabilities": {model.capability: "true"},
        "skus": [{"name": sku, "usageName": usage_name(sku, model.name), "capacity": capacity} for sku in model.skus],
    }
