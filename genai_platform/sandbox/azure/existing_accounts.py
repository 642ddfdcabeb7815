"""Accounts of Azure OpenAI that exist before anything is built, as a person made them: those that keyless models name."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from genai_platform.config.models import AzureModel
from genai_platform.sandbox.azure import arm_openai, arm_providers, openai_part
from genai_platform.sandbox.azure.arm_cognitive_accounts import KIND, every, publish
from genai_platform.sandbox.azure.shared_tenant import subscription
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.layout import SandboxLayout

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
    with contextlib.closing(Store(layout.azure.root / "azure" / "world.sqlite")) as store:
        arm_providers.register(store, mine, "Microsoft.CognitiveServices")
        for model in models:
            name = str(urlsplit(model.api_base).hostname).removesuffix(f".{_DOMAIN}")
            id = f"/subscriptions/{mine}/resourceGroups/{arm_openai.GROUP}/providers/{KIND}/{name}"
            # A subdomain is global: another account may have it.
            holders = {one["id"] for one in every(store) if one["properties"].get("customSubDomainName") == name}
            if openai_part.NEVER.search(name) or holders - {id}:
                continue
            if store.get("arm", id) is None:
                keys = [secrets.token_hex(16) for _ in range(2)]
                store.put("arm", id, {**arm_openai.resource(id, {"disableLocalAuth": False}), "_keys": keys, "_ready": 0})
            if not openai_part.NEVER.search(model.azure_deployment.lower()):
                made = arm_openai.deployment(f"{id}/deployments/{model.azure_deployment}", model.base_model or model.azure_deployment)
                store.put("arm", made["id"], {**made, "_ready": 0, "_answers": 0})
        publish(layout, store)
