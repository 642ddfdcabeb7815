"""What a model's table takes from ``[azure.openai]`` where it says nothing itself: address, base model, and how it signs in.

Looks at merged values before they are typed (``config/merged.py``), and needs no pydantic: shell completion asks, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from genai_platform.config.merged import entries, table


def completed(values: Any) -> Any:
    """Settings in which every model of the account of ``[azure.openai]`` says what follows from there."""
    known = deployments(values)
    account = table(values, "azure", "openai").get("account")
    if not entries(values) or not known or not isinstance(account, str):
        return values
    # Without the Azure half nobody could make what trusts LiteLLM's service account.
    entra = table(values, "azure").get("enabled") is True
    models = [_completed(one, account, known, entra) for one in values["litellm"]["models"]]
    return {**values, "litellm": {**values["litellm"], "models": models}}


def _completed(model: Any, account: str, known: Mapping[str, Any], entra: bool) -> Any:
    entry = table(model)
    deployment, address = entry.get("azure_deployment"), entry.get("api_base")
    deployed = isinstance(deployment, str) and deployment in known
    if not is_azure(entry) or not (at(address, account) or (address is None and deployed)):
        return model
    more = {"api_base": f"https://{account.lower()}.openai.azure.com"} if address is None else {}
    behind = known.get(str(deployment))
    if entry.get("base_model") is None and isinstance(behind, str) and behind != deployment:
        more["base_model"] = behind
    if entra and not {"auth", "api_key_env"} & entry.keys():
        # The account is looked for in the pinned subscription: LiteLLM's identity can get its role. A variable says that a key is wanted.
        more["auth"] = "entra"
    return {**entry, **more}


def is_azure(model: Mapping[str, Any]) -> bool:
    """Whether a model's table is one of Azure OpenAI."""
    return bool(model.get("provider", "azure") == "azure")


def at(address: Any, account: str) -> bool:
    """Whether an address is the account's: ``https://ACCOUNT.openai.azure.com``, or under another suffix of these services."""
    host = (urlsplit(address).hostname or "") if isinstance(address, str) else ""
    return host.startswith((f"{account.lower()}.openai.", f"{account.lower()}.cognitiveservices."))


def deployments(values: Any) -> dict[str, Any]:
    """The model of each deployment in ``[azure.openai]``, by the deployment's name."""
    found = table(values, "azure", "openai").get("deployments")
    entries = [table(one) for one in found] if isinstance(found, list | tuple) else []
    return {one["name"]: one.get("model") for one in entries if isinstance(one.get("name"), str)}
