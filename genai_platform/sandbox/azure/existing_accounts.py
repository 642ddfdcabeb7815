"""Accounts of Azure OpenAI that exist before anything is built, as a person made them: those that keyless models name."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from genai_platform.config.models import AzureModel
from genai_platform.sandbox.azure import arm_providers, openai_part
from genai_platform.sandbox.azure.arm_cognitive_accounts import KIND
from genai_platform.sandbox.azure.shared_tenant import subscription
from genai_platform.sandbox.azure.store import Object, Store
from genai_platform.sandbox.layout import SandboxLayout

_GROUP, _LOCATION = "sandbox-models", "japaneast"
_DOMAIN = "openai.localhost"


def address(layout: SandboxLayout, model: AzureModel) -> str:
    """Where a model's account answers here: under the account's own name."""
    return f"https://{str(urlsplit(model.api_base).hostname).split('.')[0]}.{_DOMAIN}:{layout.azure.ports['cognitive']}"


def offer(layout: SandboxLayout, models: Sequence[AzureModel]) -> None:
    """Make the accounts and deployments of these models in this sandbox's subscription. None is ever taken away.

    Args:
        models: keyless ones, at their ``address``. A name that says so (``missing``) is left out, as among deployments with keys.
    """
    if not models:
        return
    mine = subscription(layout)["subscription_id"]
    store = Store(layout.azure.root / "azure" / "world.sqlite")
    try:
        arm_providers.register(store, mine, "Microsoft.CognitiveServices")
        for model in models:
            name = str(urlsplit(model.api_base).hostname).removesuffix(f".{_DOMAIN}")
            id = f"/subscriptions/{mine}/resourceGroups/{_GROUP}/providers/{KIND}/{name}"
            if openai_part.NEVER.search(name) or _held_elsewhere(store, id, name):
                continue
            if store.get("arm", id) is None:
                store.put("arm", id, _account(id, name))
            if not openai_part.NEVER.search(model.azure_deployment.lower()):
                deployed = f"{id}/deployments/{model.azure_deployment}"
                store.put("arm", deployed, _deployment(deployed, model))
        names = [one["name"] for one in store.all("arm") if one["type"] == KIND]
    finally:
        store.close()
    layout.publish_hosts("azure-openai", {f"{name}.{_DOMAIN}": "127.0.0.1" for name in names})


def _held_elsewhere(store: Store, id: str, name: str) -> bool:
    """Whether another account has the subdomain: it is global."""
    held = [one for one in store.all("arm") if one["type"] == KIND]
    return any(one["properties"].get("customSubDomainName") == name and one["id"] != id for one in held)


def _account(id: str, name: str) -> Object:
    properties = {"customSubDomainName": name, "disableLocalAuth": False, "publicNetworkAccess": "Enabled"}
    keys = [secrets.token_hex(16) for _ in range(2)]
    common = {"id": id, "name": name, "type": KIND, "kind": "OpenAI", "location": _LOCATION, "sku": {"name": "S0"}}
    return {**common, "properties": properties, "_keys": keys, "_ready": 0}


def _deployment(id: str, model: AzureModel) -> Object:
    described = {"format": "OpenAI", "name": model.base_model or model.azure_deployment, "version": "1"}
    common = {"id": id, "name": model.azure_deployment, "type": f"{KIND}/deployments", "sku": {"name": "Standard", "capacity": 30}}
    properties = {"model": described, "provisioningState": "Succeeded"}
    return {**common, "properties": properties, "_ready": 0, "_answers": 0}
