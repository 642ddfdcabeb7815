"""Microsoft.CognitiveServices: deployments of models in an account, within the quota of the subscription and one at a time."""

from __future__ import annotations

import time
from typing import Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import arm_cognitive_models as models
from genai_platform.sandbox.azure.arm import Arm, with_state
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, not_found, region
from genai_platform.sandbox.azure.arm_cognitive_accounts import settled, state
from genai_platform.sandbox.pace import DEPLOYMENT_ANSWERS, DEPLOYMENT_DELETED, DEPLOYMENT_MADE

_KIND = "Microsoft.CognitiveServices/accounts/deployments"


def deployments(arm: Arm, call: Call) -> Response:
    """One deployment or those of an account."""
    path = call.id.rsplit("/", 1)[0] if call.id.lower().endswith("/deployments") else call.id.rsplit("/", 2)[0]
    account = arm.found(call, path)
    if call.id.lower().endswith("/deployments"):
        return JSONResponse({"value": [with_state(entry, state(entry)) for entry in arm.azure.store.all("arm", call.id + "/")]})
    held = arm.azure.store.get("arm", call.id)
    if call.method == "GET":
        found = arm.found(call)
        return JSONResponse(with_state(found, state(found)))
    if call.method == "DELETE" and held is None:
        return Response(status_code=204)
    settled(account)
    _alone(arm, account, call.id)
    if call.method == "DELETE":
        arm.remove(call.id)
        return arm.accepted(call, DEPLOYMENT_DELETED)
    if call.method == "PATCH" and held is None:
        raise not_found(call)
    return _put(arm, call, account, held)


def serving(arm_entries: list[Body]) -> dict[str, str]:
    """The deployments that requests reach by now: name to model."""
    return {one["name"]: one["properties"]["model"]["name"] for one in arm_entries if time.time() >= one["_answers"]}


def _put(arm: Arm, call: Call, account: Body, held: Body | None) -> Response:
    before = held or {}
    properties = {**before.get("properties", {}), **(call.body.get("properties") or {})}
    sku = {"name": "Standard", "capacity": 1, **before.get("sku", {}), **(call.body.get("sku") or {})}
    model = _model(account, properties.get("model") or {}, sku)
    _within_quota(arm, call, account, sku, model)
    made: dict[str, Any] = {
        "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
        **properties,
        "model": {"format": "OpenAI", "name": model.name, "version": model.version},
        "capabilities": {model.capability: "true"},
        "rateLimits": [{"key": "token", "renewalPeriod": 60, "count": int(sku["capacity"]) * 1000}],
    }
    ready = before.get("_ready", arm.azure.after(DEPLOYMENT_MADE))
    answers = before.get("_answers", ready + arm.azure.layout.pace.of(DEPLOYMENT_ANSWERS))
    stored = arm.put(call, {"sku": sku, "properties": made, "tags": call.body.get("tags"), "_ready": ready, "_answers": answers}, _KIND)
    shown = with_state(stored, state(stored))
    return JSONResponse(shown) if held else arm.accepted(call, DEPLOYMENT_MADE, 201, shown)


def _model(account: Body, wanted: Body, sku: Body) -> models.Model:
    name, version = wanted.get("name"), wanted.get("version")
    found = next((one for one in models.offered(account["location"]) if one.name == name and version in (None, "", one.version)), None)
    if found is None:
        named = f"'Format: {wanted.get('format')}, Name: {name}, Version: {version or ''}'"
        raise Refusal(400, "DeploymentModelNotSupported", f"The model {named} of account deployment is not supported.")
    if sku["name"] not in found.skus:
        text = f"The specified SKU '{sku['name']}' for model '{found.name} {found.version}' is not supported in this region"
        raise Refusal(400, "InvalidResourceProperties", f"{text} '{region(account['location'])}'.")
    return found


def _within_quota(arm: Arm, call: Call, account: Body, sku: Body, model: models.Model) -> None:
    store, name, asked = arm.azure.store, models.usage_name(sku["name"], model.name), int(sku["capacity"])
    used = models.used(store, call.subscription, account["location"], name, without=call.id)
    limit = models.limit(store, call.subscription, account["location"], name)
    if used + asked > limit:
        quota = models.title(sku["name"], model.name)
        text = f"This operation require {asked} new capacity in quota {quota}, which is bigger than the current available capacity"
        text += f" {limit - used}. The current quota usage is {used} and the quota limit is {limit} for quota {quota}."
        raise Refusal(400, "InsufficientQuota", text)


def _alone(arm: Arm, account: Body, own: str) -> None:
    """One deployment of an account changes at a time (hashicorp/terraform-provider-azurerm, azurerm_cognitive_deployment)."""
    others = [one for one in arm.azure.store.all("arm", account["id"] + "/deployments/") if one["id"].lower() != own.lower()]
    if any(time.time() < one["_ready"] for one in others):
        text = f"Another operation is being performed on the parent resource '{account['id']}'. Please try again later."
        raise Refusal(409, "RequestConflict", text)
