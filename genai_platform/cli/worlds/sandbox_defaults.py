"""What a sandbox has where nothing is configured: three models, the Azure half, one caller, and
a person where people sign in with Entra ID. The weakest of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.config.azure_models import RESPONSES_API_VERSION
from genai_platform.config.merged import table
from genai_platform.config.sign_in import TOOLS

_MODELS = (("gpt-4o-mini", "chat"), ("gpt-4o", "chat"), ("text-embedding-3-small", "embedding"))
_CALLER = "team-a"
_PERSON = "anna@example.com"


def defaults(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for a sandbox, by what a person configured: raw values of all layers, merged. They may be faulty."""
    models = table(configured, "litellm").get("models")
    # Nothing leaves this machine, and there is no domain.
    found: dict[str, Any] = {"azure": {"enabled": True, "apim": {"unverified_backend": True, "publisher_email": "admin@example.com"}}}
    if not models:
        # The sandbox puts its own address in the place of every api_base.
        models = [
            {"name": name, "azure_deployment": name, "api_base": "https://sandbox.openai.azure.com", "mode": mode}
            # So that every open route can be tried: the default version of a chat model has no /openai/responses.
            | ({"api_version": RESPONSES_API_VERSION} if mode == "chat" else {})
            for name, mode in _MODELS
        ]
        found["litellm"] = {"models": models}
    if not table(configured, "sign_in") and any(table(configured, tool).get("sign_in") == "entra" for tool in TOOLS):
        found["sign_in"] = {"people": [_PERSON]}
    if not table(configured, "azure").get("callers"):
        found["azure"]["callers"] = {_CALLER: {"models": _first_of_each_kind(models), "max_budget": 50, "budget_duration": "30d"}}
    return found


def _first_of_each_kind(models: Any) -> list[str]:
    """One chat model, one for embeddings and so on: what a caller may not use shows, too."""
    firsts: dict[str, str] = {}
    for model in models if isinstance(models, list | tuple) else ():
        entry = table(model)
        if isinstance(entry.get("name"), str):
            firsts.setdefault(str(entry.get("mode", "chat")), entry["name"])
    return list(firsts.values())
