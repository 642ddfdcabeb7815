"""Microsoft.CognitiveServices/accounts: the Azure OpenAI resource of a sandbox and its deployments, to be listed and read.

It is somebody else's, who made it before: nothing here makes or removes one. What is deployed is told by ``openai_part``.
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import openai_part
from genai_platform.sandbox.azure.arm import Arm
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, not_found
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION

NAME, GROUP, LOCATION = "sandbox-openai", "sandbox-models", "japaneast"
KIND = "Microsoft.CognitiveServices/accounts"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{KIND}/{NAME}"


def account(arm: Arm, call: Call) -> Response:
    """The account."""
    _only_read(call)
    return JSONResponse(_account(arm))


def listed(arm: Arm, scope: str) -> list[Body]:
    """The account, if it lies in a subscription or a resource group."""
    return [_account(arm)] if ID.lower().startswith(f"{scope.lower()}/") else []


def deployments(arm: Arm, call: Call) -> Response:
    """The deployments of the account, or one of them."""
    _only_read(call)
    found = [deployment(f"{ID}/deployments/{name}", model) for name, model in openai_part.deployed(arm.azure.layout).items()]
    if call.id.lower().endswith("/deployments"):
        return JSONResponse({"value": found})
    for entry in found:
        if entry["name"].lower() == call.name.lower():
            return JSONResponse(entry)
    raise not_found(call)


def _only_read(call: Call) -> None:
    if call.method not in ("GET", "HEAD"):
        raise Refusal(403, "AuthorizationFailed", f"The sandbox's Azure OpenAI resource can only be read: {call.method} '{call.id}'.")


def _account(arm: Arm) -> Body:
    endpoint = arm.azure.layout.url("openai") + "/"
    endpoints = {"endpoint": endpoint, "endpoints": {"OpenAI Language Model Instance API": endpoint}}
    return resource(ID, {**endpoints, "provisioningState": "Succeeded"})


def resource(id: str, properties: Body) -> Body:
    """An account as Azure describes one (Cognitive Services Management 2024-10-01, Accounts - Get)."""
    common = {"id": id, "name": id.rsplit("/", 1)[1], "type": KIND, "kind": "OpenAI", "location": LOCATION, "sku": {"name": "S0"}}
    return {**common, "properties": {"customSubDomainName": common["name"], "publicNetworkAccess": "Enabled", **properties}}


def deployment(id: str, model: str) -> Body:
    """A deployment of a model in an account that somebody made."""
    properties = {"model": {"format": "OpenAI", "name": model, "version": "1"}, "provisioningState": "Succeeded"}
    common = {"id": id, "name": id.rsplit("/", 1)[1], "type": f"{KIND}/deployments", "sku": {"name": "Standard", "capacity": 30}}
    return {**common, "properties": properties}
