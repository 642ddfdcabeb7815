"""What settings say together about models of Azure OpenAI without a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from genai_platform.config.extra_config import ExtraConfig
from genai_platform.config.merged import Contradiction, models, table

DEFAULT_KEYS = ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY")
"""Where LiteLLM looks for a key of Azure OpenAI when a model has none (litellm/main.py, 1.106.2)."""
_IDENTITY = re.compile(r"AZURE_(AD_TOKEN|AUTHORITY_HOST|CLIENT_.*|CREDENTIAL|FEDERATED_TOKEN_FILE|PASSWORD|SCOPE|TENANT_ID|USERNAME)")
"""Variables by which LiteLLM and azure-identity choose how to sign in (litellm/llms/azure/common_utils.py, 1.106.2)."""


def contradictions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """A model without a key needs the Azure half, and no key that LiteLLM would use instead."""
    entries = [(number, table(one)) for number, one in enumerate(models(values))]
    keyless = [(number, one) for number, one in entries if one.get("auth") == "entra"]
    for number, one in keyless:
        if "api_key_env" in one:
            yield (
                ("litellm", "models", number, "api_key_env"),
                'a model with auth = "entra" reads no key; remove api_key_env, or set auth = "key"',
            )
    if keyless and table(values, "azure").get("enabled") is not True:
        yield (
            ("litellm", "models", keyless[0][0], "auth"),
            '"entra" needs Azure: set azure.enabled, azure.tenant_id and azure.subscription_id (the subscription of the account), '
            'or auth = "key"',
        )
    for number, one in entries if keyless else ():
        name = one.get("api_key_env")
        if isinstance(name, str) and _IDENTITY.fullmatch(name):
            yield (
                ("litellm", "models", number, "api_key_env"),
                f'{name} says how the models with auth = "entra" sign in; choose another name for this key',
            )
    extra = table(values, "litellm").get("extra_config")
    if not keyless or not isinstance(extra, ExtraConfig):
        return
    for name in extra.variables:
        if name in DEFAULT_KEYS or _IDENTITY.fullmatch(name):
            yield (
                ("litellm", "extra_config"),
                f'{extra.path}: models with auth = "entra" would be asked with {name}; choose another name, e.g. MY_{name}',
            )
