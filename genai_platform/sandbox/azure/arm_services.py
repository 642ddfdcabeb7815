"""Microsoft.ApiManagement/service: services with their states, soft delete, restore, purge, and names that are taken everywhere.

Steered by the store's collection ``failures`` (``id``: the beginning of resource ids, ``left``: how many services that are made
there end Failed).
"""

from __future__ import annotations

import math
import time
from uuid import uuid4

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.arm import Arm, stamp, visible, with_state
from genai_platform.sandbox.azure.arm_call import Call, Refusal, in_subscription, not_found, region
from genai_platform.sandbox.azure.store import Object, Store
from genai_platform.sandbox.pace import (
    SERVICE_CHANGED,
    SERVICE_DELETED,
    SERVICE_MADE_CLASSIC,
    SERVICE_MADE_CONSUMPTION,
    SERVICE_MADE_V2,
    SERVICE_NAME_FREE,
    SERVICE_PURGED,
    SERVICE_RESTORABLE,
)

KIND = "Microsoft.ApiManagement/service"
_CLASSIC = {"Developer", "Basic", "Standard", "Premium"}
_V2 = {"BasicV2", "StandardV2"}
"""Skus of the api-version 2024-05-01 (``SkuType``); it has no PremiumV2."""
_MADE = {**dict.fromkeys(_CLASSIC, SERVICE_MADE_CLASSIC), **dict.fromkeys(_V2, SERVICE_MADE_V2), "Consumption": SERVICE_MADE_CONSUMPTION}
_DISPLAY = {"japaneast": "Japan East", "japanwest": "Japan West", "westeurope": "West Europe", "eastus2": "East US 2"}
"""API Management answers with a region's display name (azure-rest-api-specs #29387)."""


def services(arm: Arm, call: Call) -> Response:
    """One service or the collection of a group."""
    store = arm.azure.store
    _advance(arm)
    if call.id.lower().endswith("/service"):
        here = [entry for entry in store.all("arm", call.id + "/") if entry["type"] == KIND]
        return JSONResponse({"value": [_with_state(entry) for entry in here]})
    if call.method == "GET":
        return JSONResponse(_with_state(arm.found(call)))
    found = store.get("arm", call.id)
    if found is not None and _state(found) in ("Activating", "Updating", "Terminating"):
        text = f"The API Service {call.name} is transitioning at this time. Please try the request again later."
        raise Refusal(409, "ServiceLocked", text)
    if call.method != "DELETE":
        return _put(arm, call, found)
    if found is None:
        return Response(status_code=204)
    store.put("arm", call.id, {**found, "_state": _state(found), "_deleted": arm.azure.after(SERVICE_DELETED)})
    return arm.accepted(call, SERVICE_DELETED)


def every_service(arm: Arm, call: Call) -> Response:
    """The services of all resource groups."""
    _advance(arm)
    found = [arm.azure.store.get("arm", entry["id"]) for entry in arm.azure.store.all("services")]
    here = [entry for entry in found if entry and in_subscription(entry, call.subscription) and arm.may_read(call, entry["id"])]
    return JSONResponse({"value": [_with_state(entry) for entry in here]})


def _put(arm: Arm, call: Call, found: Object | None) -> Response:
    store = arm.azure.store
    if found is None:
        _free(arm, call)
    elif _state(found) == "Failed":
        return JSONResponse(_with_state(found))  # nothing is deployed over it
    sku = call.body.get("sku") or (found or {}).get("sku") or {}
    name = str(sku.get("name"))
    if name not in _MADE:
        raise Refusal(400, "InvalidParameters", f"Invalid parameter: The value provided for sku ('{name}') is invalid.")
    if found and _family(found["sku"]["name"]) != _family(name):
        raise Refusal(400, "BadRequest", f"Changing the sku from {found['sku']['name']} to {name} is not supported.")
    identity = call.body.get("identity") or (found or {}).get("identity")
    if identity and "SystemAssigned" in str(identity.get("type")):
        identity = _identity(arm, call, found)
    duration = SERVICE_CHANGED if found else _MADE[name]
    body = {
        "location": _display(call.body.get("location")) or (found or {}).get("location"),
        "sku": sku,
        "identity": identity,
        "tags": call.body.get("tags") or {},
        "properties": {
            **(found or {}).get("properties", {}),
            **(call.body.get("properties") or {}),
            "gatewayUrl": f"https://{call.name}.azure-api.localhost:{arm.azure.layout.ports['gateway']}",
            "publicIPAddresses": ["203.0.113.10"] if name in _CLASSIC else None,
            "createdAtUtc": "2026-01-01T00:00:00Z",
        },
        "_ready": arm.azure.after(duration),
        "_passing": "Updating" if found else "Activating",
        "_state": "Succeeded" if found else _outcome(store, call.id),
    }
    shown = _with_state(arm.put(call, body, KIND))
    store.put("services", call.name, {"id": call.id, "name": call.name})
    return arm.accepted(call, duration, 200 if found else 201, shown)


def _identity(arm: Arm, call: Call, found: Object | None) -> Object:
    """The service's own identity: the directory has it when the service begins to be made."""
    principal = ((found or {}).get("identity") or {}).get("principalId")
    if principal is None:
        principal = str(uuid4())
        arm.azure.store.put("managedIdentities", principal, {"id": principal, "createdAt": time.time()})
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": tenancy.tenant_of(arm.azure.store, call.id)}


def _free(arm: Arm, call: Call) -> None:
    """Raise ``Refusal`` where the name of a new service is not free; a restore takes its tombstone away."""
    store = arm.azure.store
    deleted, restore = store.get("deletedServices", call.name), (call.body.get("properties") or {}).get("restore")
    if deleted and not restore:
        text = f"Api service '{call.name}' was soft-deleted. Restore or purge it before using this name."
        raise Refusal(409, "ServiceAlreadyExistsInSoftDeletedState", text)
    if deleted:
        if deleted["service"]["id"].lower() != call.id.lower() or deleted["service"]["location"] != _display(call.body.get("location")):
            raise Refusal(400, "InvalidParameters", f"Api service '{call.name}' was deleted elsewhere.")
        if time.time() < deleted["at"] + arm.azure.layout.pace.of(SERVICE_RESTORABLE) or "_purged" in deleted:
            raise Refusal(409, "Conflict", f"Api service '{call.name}' is not in a state in which it can be restored.")
        store.delete("deletedServices", call.name)
    elif restore:
        raise Refusal(404, "ServiceNotFound", f"There is no soft-deleted api service '{call.name}'.")
    elif any(store.get(kind, call.name) for kind in ("services", "freedServices")):
        raise Refusal(409, "ServiceAlreadyExists", f"Api service already exists: {call.name}")


def _outcome(store: Store, id: str) -> str:
    """How making a service will end."""
    for failure in store.all("failures"):
        if id.lower().startswith(failure["id"].lower()) and failure["left"] > 0:
            store.put("failures", failure["id"], {**failure, "left": failure["left"] - 1})
            return "Failed"
    return "Succeeded"


def _family(sku: str) -> str:
    """Services move between skus of one family alone (API Management, v2 tiers overview)."""
    return "classic" if sku in _CLASSIC else "v2" if sku in _V2 else sku


def _display(location: object) -> str:
    text = str(location or "")
    return _DISPLAY.get(region(text), text)


def _state(entry: Object) -> str:
    if "_deleted" in entry:
        return "Terminating"
    return str(entry.get("_state", "Succeeded") if time.time() >= entry.get("_ready", 0) else entry.get("_passing", "Activating"))


def _with_state(entry: Object) -> Object:
    return with_state(entry, _state(entry))


def _advance(arm: Arm) -> None:
    """Deletions and purges that are done, and names that are free by now. A service that failed leaves no tombstone."""
    store, now = arm.azure.store, time.time()
    for known in store.all("services"):
        entry = store.get("arm", known["id"])
        if entry and now >= entry.get("_deleted", math.inf):
            arm.remove(known["id"])
            store.delete("services", known["name"])
            if entry.get("_state") != "Failed":
                store.put("deletedServices", known["name"], {"service": visible(entry), "at": entry["_deleted"]})
    for entry in store.all("deletedServices"):
        if now >= entry.get("_purged", math.inf):
            name = entry["service"]["name"]
            store.delete("deletedServices", name)
            store.put("freedServices", name, {"name": name, "at": entry["_free"]})
    for entry in store.all("freedServices"):
        if now >= entry["at"]:
            store.delete("freedServices", entry["name"])


def service_names(arm: Arm, call: Call) -> Response:
    """checkNameAvailability: service names are global; a soft-deleted one is taken too, and a purged one for a while."""
    _advance(arm)
    name = str(call.body.get("name"))
    taken = any(arm.azure.store.get(kind, name) for kind in ("services", "deletedServices", "freedServices"))
    reason = "AlreadyExists" if taken else "Valid"
    return JSONResponse({"nameAvailable": not taken, "reason": reason, "message": f"{name} is already in use." if taken else ""})


def deleted_services(arm: Arm, call: Call) -> Response:
    """Soft-deleted services: list, get, purge."""
    store = arm.azure.store
    _advance(arm)
    if call.id.lower().endswith("/deletedservices"):
        here = [entry for entry in store.all("deletedServices") if in_subscription(entry["service"], call.subscription)]
        return JSONResponse({"value": [_deleted(entry) for entry in here]})
    found = store.get("deletedServices", call.name)
    if found is None or not in_subscription(found["service"], call.subscription):
        raise not_found(call)
    if call.id.split("/")[6] != region(found["service"]["location"]):
        raise not_found(call)
    if call.method == "GET":
        return JSONResponse(_deleted(found))
    purged = arm.azure.after(SERVICE_PURGED)
    store.put("deletedServices", call.name, {**found, "_purged": purged, "_free": purged + arm.azure.layout.pace.of(SERVICE_NAME_FREE)})
    return arm.accepted(call, SERVICE_PURGED)


def _deleted(entry: Object) -> Object:
    service = entry["service"]
    subscription, location = service["id"].split("/")[2], region(service["location"])
    base = f"/subscriptions/{subscription}/providers/Microsoft.ApiManagement/locations/{location}/deletedservices"
    stamps = {"deletionDate": stamp(entry["at"]), "scheduledPurgeDate": stamp(entry["at"] + 48 * 3600)}
    return {
        "id": f"{base}/{service['name']}",
        "name": service["name"],
        "type": "Microsoft.ApiManagement/deletedservices",
        "location": service["location"],
        "properties": {"serviceId": service["id"], **stamps},
    }
