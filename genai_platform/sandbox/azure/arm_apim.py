"""What lies inside a service of API Management: APIs, operations, backends and policies.

A policy is compiled by the gateway when it is put: what the gateway would not execute is refused here, as the real
service refuses a policy it cannot compile. Policies come back reformatted, as the real service returns them.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import arm_named_values
from genai_platform.sandbox.azure.arm import Arm, etag, visible
from genai_platform.sandbox.azure.arm_call import Call, Refusal, not_found
from genai_platform.sandbox.azure.arm_services import KIND
from genai_platform.sandbox.azure.gateway.program import compile_policy
from genai_platform.sandbox.pace import ENTITY_WRITTEN


def entities(arm: Arm, call: Call) -> Response:
    """What a service contains other than named values: apis, operations, backends, policies."""
    service = re.match(r"(?i).*/providers/microsoft\.apimanagement/service/[^/]+", call.id)
    if service is None or not arm.exists(service[0]):
        raise not_found(call)
    parts = call.id[len(service[0]) :].strip("/").split("/")
    if len(parts) % 2:
        return arm.listed(call)
    kind = parts[-2].lower()
    if call.method in ("GET", "HEAD"):
        return _shown(arm.found(call), kind)
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
    known = arm.azure.store.get("arm", call.id)
    if known and call.headers.get("if-match") not in (None, "*", etag(known)["ETag"]):
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
        properties = {**(known or {}).get("properties", {}), **properties}
    stored = arm.put(call, {"properties": properties}, f"{KIND}/{kind}")
    if kind == "apis":
        arm.azure.store.put("settlingApis", call.id, {"id": call.id})
    return _shown(stored, kind, 200 if known else 201)


def _refuse_while_settling(arm: Arm, call: Call, entity: str) -> None:
    """An API that was put holds a lock for a moment: the first write to something inside it is refused."""
    if call.id.lower() != entity.lower() and arm.azure.store.get("settlingApis", entity):
        arm.azure.store.delete("settlingApis", entity)
        text = "Unable to obtain lock for operation on the entity. Please retry the operation."
        raise Refusal(409, "PessimisticConcurrencyConflict", text)


def _free_path(arm: Arm, call: Call, path: str) -> None:
    siblings = [entry for entry in arm.azure.store.all("arm", call.id.rsplit("/", 1)[0] + "/") if entry["type"].endswith("/apis")]
    if any(entry["properties"].get("path") == path and entry["id"].lower() != call.id.lower() for entry in siblings):
        raise Refusal(400, "ValidationError", f"Cannot create API with the same path '{path}' as another API of this service.")


def _shown(entry: dict[str, Any], kind: str, status: int = 200) -> Response:
    """A policy comes back with CRLF, tabs and other entities: what was put is not what comes back."""
    shown = visible(entry)
    if kind == "policies":
        text = str(entry["properties"]["value"]).replace("&#34;", "&quot;").replace("  ", "\t").replace("\n", "\r\n")
        shown["properties"] = {"format": "xml", "value": text}
    return JSONResponse(shown, status, etag(entry))
