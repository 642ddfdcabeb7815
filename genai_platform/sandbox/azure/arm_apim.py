"""Microsoft.ApiManagement: services with soft delete, APIs, operations, backends and policies.

A policy is compiled by the gateway when it is put: what the gateway would not execute is refused here, as the real
service refuses a policy it cannot compile. Policies come back reformatted, as the real service returns them.
"""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import arm_named_values, tenancy
from genai_platform.sandbox.azure.arm import Arm, Call, Refusal, not_found, visible
from genai_platform.sandbox.azure.gateway.program import compile_policy
from genai_platform.sandbox.pace import (
    ENTITY_WRITTEN,
    SERVICE_DELETED,
    SERVICE_MADE_CLASSIC,
    SERVICE_MADE_CONSUMPTION,
    SERVICE_MADE_V2,
    SERVICE_PURGED,
)

_KIND = "Microsoft.ApiManagement/service"
_CLASSIC = {"Developer", "Basic", "Standard", "Premium"}
MADE = {**dict.fromkeys(_CLASSIC, SERVICE_MADE_CLASSIC), "Consumption": SERVICE_MADE_CONSUMPTION}
"""How long a new service takes, by sku; the others are v2."""


def services(arm: Arm, call: Call) -> Response:
    """One service or the collection of a group."""
    store = arm.world.store
    if call.id.lower().endswith("/service"):
        here = [entry for entry in store.all("arm", call.id + "/") if entry["type"] == _KIND]
        return JSONResponse({"value": [_with_state(entry) for entry in here]})
    found = store.get("arm", call.id)
    if call.method == "GET":
        if found is None:
            raise not_found(call)
        return JSONResponse(_with_state(found))
    if call.method == "DELETE":
        if found is None:
            return Response(status_code=204)
        arm.remove(call.id)
        store.delete("services", call.name)
        store.put("deletedServices", call.name, {"service": visible(found), "at": time.time()})
        return arm.accepted(call, SERVICE_DELETED)
    return _put(arm, call, found)


def every_service(arm: Arm, call: Call) -> Response:
    """The services of all resource groups."""
    found = [arm.world.store.get("arm", entry["id"]) for entry in arm.world.store.all("services")]
    return JSONResponse(
        {"value": [_with_state(entry) for entry in found if entry and _here(call, entry) and arm.may_read(call, entry["id"])]}
    )


def _here(call: Call, entry: dict[str, Any]) -> bool:
    """Whether a service is, or was, in the subscription that the path names."""
    return str(entry["id"]).split("/")[2] == call.subscription


def _put(arm: Arm, call: Call, found: dict[str, Any] | None) -> Response:
    store = arm.world.store
    if found is None and store.get("deletedServices", call.name):
        if not (call.body.get("properties") or {}).get("restore"):
            text = f"Api service '{call.name}' was soft-deleted. Restore or purge it before using this name."
            raise Refusal(409, "ServiceAlreadyExistsInSoftDeletedState", text)
        store.delete("deletedServices", call.name)
    if found is None and (store.get("services", call.name) or store.get("takenNames", call.name)):
        raise Refusal(409, "ServiceAlreadyExists", f"Api service already exists: {call.name}")
    wanted = {**(found or {}).get("properties", {}), **(call.body.get("properties") or {})}
    sku = call.body.get("sku") or (found or {}).get("sku") or {}
    identity = call.body.get("identity") or (found or {}).get("identity")
    if identity and "SystemAssigned" in str(identity.get("type")):
        principal = ((found or {}).get("identity") or {}).get("principalId") or str(uuid4())
        store.put("managedIdentities", principal, {"id": principal, "resource": call.id})
        identity = {"type": "SystemAssigned", "principalId": principal, "tenantId": tenancy.tenant_of(store, call.id)}
    made = MADE.get(str(sku.get("name")), SERVICE_MADE_V2)
    ready = (found or {}).get("_ready") or arm.world.after(made)
    properties = {
        **wanted,
        "gatewayUrl": f"https://{call.name}.azure-api.localhost:{arm.world.place.ports['gateway']}",
        "publicIPAddresses": ["203.0.113.10"] if sku.get("name") in _CLASSIC else None,
        "createdAtUtc": "2026-01-01T00:00:00Z",
    }
    body = {
        "location": call.body.get("location") or (found or {}).get("location"),
        "sku": sku,
        "identity": identity,
        "tags": call.body.get("tags") or {},
        "properties": properties,
        "_ready": ready,
    }
    arm.put(call, body, _KIND)
    store.put("services", call.name, {"id": call.id, "name": call.name})
    shown = _with_state(store.get("arm", call.id) or {})
    if found is not None:
        return JSONResponse(shown, 200)
    return arm.accepted(call, made, 201, shown)


def _with_state(entry: dict[str, Any]) -> dict[str, Any]:
    state = "Succeeded" if time.time() >= entry.get("_ready", 0) else "Activating"
    return {**visible(entry), "properties": {**entry["properties"], "provisioningState": state}}


def service_names(arm: Arm, call: Call) -> Response:
    """checkNameAvailability: service names are global; a soft-deleted one is taken too."""
    name = str(call.body.get("name"))
    taken = any(arm.world.store.get(kind, name) for kind in ("services", "deletedServices", "takenNames"))
    reason = "AlreadyExists" if taken else "Valid"
    return JSONResponse({"nameAvailable": not taken, "reason": reason, "message": f"{name} is already in use." if taken else ""})


def deleted_services(arm: Arm, call: Call) -> Response:
    """Soft-deleted services: list, get, purge."""
    store = arm.world.store
    if call.id.lower().endswith("/deletedservices"):
        return JSONResponse({"value": [_deleted(entry) for entry in store.all("deletedServices") if _here(call, entry["service"])]})
    found = store.get("deletedServices", call.name)
    if found is None or not _here(call, found["service"]):
        raise not_found(call)
    if call.method == "GET":
        return JSONResponse(_deleted(found))
    store.delete("deletedServices", call.name)
    return arm.accepted(call, SERVICE_PURGED)


def _deleted(entry: dict[str, Any]) -> dict[str, Any]:
    service = entry["service"]
    base = f"/subscriptions/{service['id'].split('/')[2]}/providers/Microsoft.ApiManagement/locations/{service['location']}/deletedservices"
    stamps = {"deletionDate": _stamp(entry["at"]), "scheduledPurgeDate": _stamp(entry["at"] + 48 * 3600)}
    return {
        "id": f"{base}/{service['name']}",
        "name": service["name"],
        "type": "Microsoft.ApiManagement/deletedservices",
        "location": service["location"],
        "properties": {"serviceId": service["id"], **stamps},
    }


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def entities(arm: Arm, call: Call) -> Response:
    """What lies inside a service besides named values: apis, operations, backends, policies."""
    service = re.match(r"(?i).*/providers/microsoft\.apimanagement/service/[^/]+", call.id)
    if service is None or not arm.exists(service[0]):
        raise not_found(call)
    parts = call.id[len(service[0]) :].strip("/").split("/")
    if len(parts) % 2:
        return arm.listed(call)
    kind = parts[-2].lower()
    if call.method in ("GET", "HEAD"):
        return _shown(arm, call, kind)
    _refuse_while_settling(arm, call, f"{service[0]}/{parts[0]}/{parts[1]}")
    if call.method == "DELETE":
        known = arm.exists(call.id)
        arm.remove(call.id)
        if kind == "apis" and known:
            return arm.accepted(call, ENTITY_WRITTEN)
        return Response(status_code=200 if known else 204)
    if len(parts) > 2 and not arm.exists(call.id.rsplit("/", 2)[0]):
        raise Refusal(404, "ResourceNotFound", f"{parts[-4]} not found.")
    return _stored(arm, call, kind)


def _stored(arm: Arm, call: Call, kind: str) -> Response:
    known = arm.exists(call.id)
    match = call.headers.get("if-match")
    if known and match not in (None, "*", f'"{(arm.world.store.get("arm", call.id) or {})["_etag"]}"'):
        raise Refusal(412, "PreconditionFailed", "The resource was changed by somebody else.")
    properties: dict[str, Any] = dict(call.body.get("properties") or {})
    if kind == "policies":
        try:
            compile_policy(str(properties.get("value")))
        except ValueError as error:
            raise Refusal(400, "ValidationError", f"One or more fields contain incorrect values: {error}") from None
        service = re.split(r"(?i)/(apis|policies)/", call.id)[0]
        if strange := arm_named_values.unknown(arm, service, str(properties.get("value"))):
            raise Refusal(400, "ValidationError", f"Cannot find a property '{strange[0]}'.")
    if kind == "apis":
        _free_path(arm, call, str(properties.get("path", "")))
    if call.method == "PATCH":
        properties = {**(arm.world.store.get("arm", call.id) or {}).get("properties", {}), **properties}
    shown = arm.put(call, {"properties": properties}, f"{_KIND}/{kind}")
    if kind == "apis":
        arm.world.store.put("settlingApis", call.id, {"id": call.id})
    headers = {"ETag": f'"{(arm.world.store.get("arm", call.id) or {})["_etag"]}"'}
    return JSONResponse(_reformatted(shown) if kind == "policies" else shown, 200 if known else 201, headers)


def _refuse_while_settling(arm: Arm, call: Call, entity: str) -> None:
    """An API that was put holds a lock for a moment: the first write to something inside it is refused."""
    if call.id.lower() != entity.lower() and arm.world.store.get("settlingApis", entity):
        arm.world.store.delete("settlingApis", entity)
        text = "Unable to obtain lock for operation on the entity. Please retry the operation."
        raise Refusal(409, "PessimisticConcurrencyConflict", text)


def _free_path(arm: Arm, call: Call, path: str) -> None:
    siblings = [entry for entry in arm.world.store.all("arm", call.id.rsplit("/", 1)[0] + "/") if entry["type"].endswith("/apis")]
    if any(entry["properties"].get("path") == path and entry["id"].lower() != call.id.lower() for entry in siblings):
        raise Refusal(400, "ValidationError", f"Cannot create API with the same path '{path}' as another API of this service.")


def _shown(arm: Arm, call: Call, kind: str) -> Response:
    found = arm.world.store.get("arm", call.id)
    if found is None:
        raise not_found(call)
    shown = _reformatted(visible(found)) if kind == "policies" else visible(found)
    return JSONResponse(shown, headers={"ETag": f'"{found["_etag"]}"'})


def _reformatted(entry: dict[str, Any]) -> dict[str, Any]:
    """CRLF, tabs, and other entities: what was put is not what comes back."""
    text = str(entry["properties"]["value"]).replace("&#34;", "&quot;").replace("  ", "\t").replace("\n", "\r\n")
    return {**entry, "properties": {"format": "xml", "value": text}}
