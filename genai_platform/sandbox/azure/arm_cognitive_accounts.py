"""Microsoft.CognitiveServices: Azure OpenAI's accounts, their keys, and what is left of them after they were deleted.

A deleted account keeps its name, its subdomain and its quota for 48 hours unless it is purged ("Recover or purge deleted
Azure AI services resources", read November 2026).
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import arm_openai
from genai_platform.sandbox.azure.arm import Arm, visible, with_state
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, in_subscription, not_found, region
from genai_platform.sandbox.azure.arm_cognitive_models import described, offered
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import (
    COGNITIVE_ACCOUNT_DELETED,
    COGNITIVE_ACCOUNT_MADE,
    COGNITIVE_ACCOUNT_PURGED,
    COGNITIVE_SUBDOMAIN_FREE,
)

KIND = "Microsoft.CognitiveServices/accounts"
_RETENTION = timedelta(hours=48)


def accounts(arm: Arm, call: Call) -> Response:
    """One account, those of a group, or those of the subscription."""
    if call.id.lower().endswith("/accounts"):
        above = call.id[: call.id.lower().index("/providers/")]
        made = [_shown(arm, one) for one in every(arm.azure.store, above + "/")]
        return JSONResponse({"value": [*arm_openai.listed(arm, above), *made]})
    held = arm.azure.store.get("arm", call.id)
    if call.method == "DELETE":
        return _delete(arm, call, held)
    if call.method == "PUT":
        return _put(arm, call, held)
    held = arm.found(call)
    if call.method == "PATCH":
        settled(held)
        merged = {**held["properties"], **(call.body.get("properties") or {})}
        held = arm.put(call, {**held, **call.body, "properties": merged}, KIND)
    return JSONResponse(_shown(arm, held))


def every(store: Store, prefix: str = "") -> list[Body]:
    """The accounts whose ids begin with ``prefix``."""
    return [one for one in store.all("arm", prefix) if one["type"] == KIND]


def actions(arm: Arm, call: Call) -> Response:
    """``listKeys``, ``regenerateKey`` and ``models`` of an account."""
    path, action = call.id.rsplit("/", 1)
    held = arm.found(call, path)
    if action.lower() == "models":
        return JSONResponse({"value": [described(model) for model in offered(held["location"])]})
    if held["properties"].get("disableLocalAuth"):
        raise Refusal(400, "BadRequest", "Failed to list key. disableLocalAuth is set to be true")
    if action.lower() == "regeneratekey":
        if call.body.get("keyName") not in ("Key1", "Key2"):
            raise Refusal(400, "InvalidKeyName", f"The key name '{call.body.get('keyName')}' is invalid: Key1 or Key2.")
        held["_keys"][int(call.body["keyName"][-1]) - 1] = secrets.token_hex(16)
        arm.azure.store.put("arm", path, held)
    return JSONResponse(dict(zip(("key1", "key2"), held["_keys"], strict=True)))


def deleted_accounts(arm: Arm, call: Call) -> Response:
    """List, get and purge."""
    store = arm.azure.store
    here = [one for one in store.all("deletedAccounts") if in_subscription(one["resource"], call.subscription)]
    if call.id.lower().endswith("/deletedaccounts"):
        return JSONResponse({"value": [_deleted(one) for one in here]})
    words = call.id.split("/")
    wanted = (words[6].lower(), words[8].lower(), words[10].lower())
    found = next((one for one in here if _place(one) == wanted), None)
    if found is None:
        raise not_found(call)
    if call.method == "GET":
        return JSONResponse(_deleted(found))
    store.delete("deletedAccounts", found["resource"]["id"])
    if name := found["resource"]["properties"].get("customSubDomainName"):
        store.put("freedSubdomains", name, {"name": name, "at": arm.azure.after(COGNITIVE_SUBDOMAIN_FREE)})
    return arm.accepted(call, COGNITIVE_ACCOUNT_PURGED)


def domain_availability(arm: Arm, call: Call) -> Response:
    """``checkDomainAvailability``: subdomains are global."""
    name = str(call.body.get("subdomainName"))
    taken = _taken(arm, name, "")
    answer = {"isSubdomainAvailable": not taken, "subdomainName": name, "type": call.body.get("type")}
    return JSONResponse(answer | ({"reason": f"Sub domain name '{name}' is already used."} if taken else {}))


def state(entry: Body) -> str:
    """The provisioning state of an account or a deployment."""
    return "Succeeded" if time.time() >= entry.get("_ready", 0) else "Creating"


def settled(account: Body) -> None:
    """Raises ``Refusal`` while an account is being made."""
    if state(account) != "Succeeded":
        text = f"Cannot modify resource with id '{account['id']}' because the resource entity provisioning state is not terminal."
        text += " Please wait for the provisioning state to become terminal and then retry the request."
        raise Refusal(409, "RequestConflict", text)


def _put(arm: Arm, call: Call, held: Body | None) -> Response:
    store, wanted = arm.azure.store, dict(call.body.get("properties") or {})
    deleted, restore = store.get("deletedAccounts", call.id), wanted.pop("restore", False)
    if deleted and not restore:
        text = f"An existing resource with ID '{call.id}' has been soft-deleted. To restore the resource, you must specify 'restore' to be"
        text += " 'true' in the property. If you don't want to restore existing resource, please purge it first."
        raise Refusal(409, "FlagMustBeSetForRestore", text)
    if held:
        settled(held)
        if region(call.body.get("location")) != region(held["location"]):
            raise Refusal(409, "InvalidResourceLocation", f"The resource '{call.name}' already exists in location '{held['location']}'.")
    elif (call.body.get("sku") or {}).get("name") != "S0" or call.body.get("kind") not in ("OpenAI", "AIServices"):
        text = f"The account type '{call.body.get('kind')}' is either invalid or unavailable in given region."
        raise Refusal(400, "InvalidApiSetId", text)
    if (name := wanted.get("customSubDomainName")) and _taken(arm, name, call.id):
        text = f"Please pick a different name. The subdomain name '{name}' is not available as it's already used by a resource."
        raise Refusal(409, "CustomDomainInUse", text)
    if deleted:
        store.delete("deletedAccounts", call.id)
        for entry in deleted["below"]:
            store.put("arm", entry["id"], entry)
        held = deleted["resource"]
    before = held or {}
    properties = {"disableLocalAuth": False, "publicNetworkAccess": "Enabled", **before.get("properties", {}), **wanted}
    body = {**before, **call.body, "properties": properties, "_keys": before.get("_keys") or [secrets.token_hex(16) for _ in range(2)]}
    body["_ready"] = before.get("_ready") or arm.azure.after(COGNITIVE_ACCOUNT_MADE)
    shown = _shown(arm, arm.put(call, body, KIND))
    publish(arm.azure.layout, store)
    return JSONResponse(shown) if before and not deleted else arm.accepted(call, COGNITIVE_ACCOUNT_MADE, 201, shown)


def _delete(arm: Arm, call: Call, held: Body | None) -> Response:
    if held is None:
        return Response(status_code=204)
    settled(held)
    if arm.azure.store.all("arm", call.id + "/deployments/"):
        raise Refusal(409, "CannotDeleteResource", "Can not delete resource before nested resources are deleted.")
    arm.remove(call.id)
    publish(arm.azure.layout, arm.azure.store)
    return arm.accepted(call, COGNITIVE_ACCOUNT_DELETED)


def _shown(arm: Arm, entry: Body) -> Body:
    name, port = entry["properties"].get("customSubDomainName"), arm.azure.layout.ports["cognitive"]
    host = f"{name}.openai.localhost" if name else f"{region(entry['location'])}.api.cognitive.localhost"
    return with_state({**entry, "properties": {**entry["properties"], "endpoint": f"https://{host}:{port}/"}}, state(entry))


def _taken(arm: Arm, subdomain: str, own: str) -> bool:
    store = arm.azure.store
    held = every(store) + [one["resource"] for one in store.all("deletedAccounts")]
    freed = store.get("freedSubdomains", subdomain)
    return (freed is not None and time.time() < freed["at"]) or any(
        str(one["properties"].get("customSubDomainName")).lower() == subdomain.lower() and one["id"].lower() != own.lower() for one in held
    )


def publish(layout: SandboxLayout, store: Store) -> None:
    """The accounts' host names, for programs in pods."""
    names = [one["properties"].get("customSubDomainName") for one in every(store)]
    layout.publish_hosts("azure-openai", {f"{name}.openai.localhost": "127.0.0.1" for name in names if name})


def _place(entry: Body) -> tuple[str, str, str]:
    """Region, resource group and name of a deleted account."""
    resource = entry["resource"]
    return region(resource["location"]), resource["id"].split("/")[4].lower(), resource["name"].lower()


def _deleted(entry: Body) -> Body:
    resource, at = entry["resource"], datetime.fromtimestamp(entry["at"], UTC)
    location, group, name = _place(entry)
    base = f"/subscriptions/{resource['id'].split('/')[2]}/providers/Microsoft.CognitiveServices/locations/{location}"
    properties = {
        **resource["properties"],
        "deletionDate": at.isoformat(),
        "scheduledPurgeDate": (at + _RETENTION).isoformat(),
        "provisioningState": "Succeeded",
    }
    return {**visible(resource), "id": f"{base}/resourceGroups/{group}/deletedAccounts/{name}", "properties": properties}
