"""Microsoft.CognitiveServices/accounts: the Azure OpenAI resource of a sandbox and its deployments, to be listed and read.

It is somebody else's, who made it before: nothing here makes or removes one. What is deployed is told by ``openai_part``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import openai_part
from genai_platform.sandbox.azure.arm import Arm
from genai_platform.sandbox.azure.arm_call import Call, Refusal, not_found
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION

NAME, GROUP, LOCATION = "sandbox-openai", "sandbox-models", "japaneast"
KIND = "Microsoft.CognitiveServices/accounts"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{KIND}/{NAME}"


def account(arm: Arm, call: Call) -> Response:
    """The account."""
    _only_read(call)
    return JSONResponse(_account(arm))


def listed(arm: Arm, scope: str) -> list[dict[str, Any]]:
    """The account, if it lies in a subscription or a resource group."""
    return [_account(arm)] if ID.lower().startswith(f"{scope.lower()}/") else []


def deployments(arm: Arm, call: Call) -> Response:
    """The deployments of the account, or one of them."""
    _only_read(call)
    found = [_deployment(name, model) for name, model in _deployed(arm)]
    if call.id.lower().endswith("/deployments"):
        return JSONResponse({"value": found})
    for entry in found:
        if entry["name"].lower() == call.name.lower():
            return JSONResponse(entry)
    raise not_found(call)


def _only_read(call: Call) -> None:
    if call.method not in ("GET", "HEAD"):
        raise Refusal(403, "AuthorizationFailed", f"The sandbox's Azure OpenAI resource can only be read: {call.method} '{call.id}'.")


def _account(arm: Arm) -> dict[str, Any]:
    """As Azure describes one (Cognitive Services Management 2024-10-01, Accounts - Get)."""
    endpoint = arm.azure.layout.url("openai") + "/"
    return {
        "id": ID,
        "name": NAME,
        "type": KIND,
        "kind": "OpenAI",
        "location": LOCATION,
        "sku": {"name": "S0"},
        "properties": {
            "endpoint": endpoint,
            "endpoints": {"OpenAI Language Model Instance API": endpoint},
            "customSubDomainName": NAME,
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
        },
    }


def _deployed(arm: Arm) -> list[tuple[str, str]]:
    layout = arm.azure.layout
    models = _read(openai_part.models_file(layout), {})
    return [(name, models.get(name, name)) for name in _read(openai_part.deployments_file(layout), [])]


def _read(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


def _deployment(name: str, model: str) -> dict[str, Any]:
    return {
        "id": f"{ID}/deployments/{name}",
        "name": name,
        "type": f"{KIND}/deployments",
        "sku": {"name": "Standard", "capacity": 30},
        "properties": {"model": {"format": "OpenAI", "name": model, "version": "1"}, "provisioningState": "Succeeded"},
    }
