"""What settings say together about models of Azure OpenAI without a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from genai_platform.config.merged import Contradiction, entries, extra_config, table

DEFAULT_KEYS = ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY")
"""Where LiteLLM looks for a key of Azure OpenAI when a model has none (litellm/main.py, 1.106.2)."""
_IDENTITY = re.compile(r"AZURE_(AD_TOKEN|AUTHORITY_HOST|CLIENT_.*|CREDENTIAL|FEDERATED_TOKEN_FILE|PASSWORD|SCOPE|TENANT_ID|USERNAME)")
"""Variables by which LiteLLM and azure-identity choose how to sign in (litellm/llms/azure/common_utils.py, 1.106.2)."""


def contradictions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """A model without a key needs the Azure half, and no key that LiteLLM would use instead."""
    models = entries(values)
    keyless = [number for number, one in enumerate(models) if one.get("auth") == "entra"]
    if not keyless:
        return
    for number in keyless:
        if "api_key_env" in models[number]:
            problem = 'a model with auth = "entra" reads no key; remove api_key_env, or set auth = "key"'
            yield ("litellm", "models", number, "api_key_env"), problem
    if table(values, "azure").get("enabled") is not True:
        needed = "azure.enabled, azure.tenant_id and azure.subscription_id (the subscription of the account)"
        yield ("litellm", "models", keyless[0], "auth"), f'"entra" needs Azure: set {needed}, or auth = "key"'
    for number, one in enumerate(models):
        name = one.get("api_key_env")
        if isinstance(name, str) and _IDENTITY.fullmatch(name):
            problem = f'{name} says how the models with auth = "entra" sign in; choose another name for this key'
            yield ("litellm", "models", number, "api_key_env"), problem
    if extra := extra_config(values):
        for name in extra.variables:
            if name in DEFAULT_KEYS or _IDENTITY.fullmatch(name):
                problem = f'models with auth = "entra" would be asked with {name}; choose another name, e.g. MY_{name}'
                yield ("litellm", "extra_config"), f"{extra.path}: {problem}"
