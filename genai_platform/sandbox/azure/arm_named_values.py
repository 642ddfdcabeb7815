"""Named values of API Management: kept in the service, or read from Key Vault by the service's own identity.

Making one is a long-running operation that is followed by an ``Azure-AsyncOperation`` address. As on Azure it is refused
when the vault cannot be read at that moment; one that is there keeps its value, and the last status says how reading the
vault again ended.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.arm import Arm, visible
from genai_platform.sandbox.azure.arm_call import Call, Refusal, not_found
from genai_platform.sandbox.azure.roles import SECRETS_OFFICER, SECRETS_USER, holds
from genai_platform.sandbox.pace import ENTITY_WRITTEN

KIND = "Microsoft.ApiManagement/service/namedValues"
_IN_POLICY = re.compile(r"\{\{([A-Za-z0-9._-]+)\}\}")


def named_values(arm: Arm, call: Call) -> Response:
    """One named value, the collection, and the actions ``listValue`` and ``refreshSecret``."""
    service, _, rest = re.split(r"(?i)(/namedvalues)", call.id)
    if not arm.exists(service):
        raise not_found(call)
    if call.method == "POST":
        return _action(arm, call, service)
    if not rest:
        return arm.listed(call)
    if call.method in ("GET", "HEAD"):
        return arm.get(call)
    if call.method == "DELETE":
        return _delete(arm, call, service)
    return _put(arm, call, service)


def unknown(arm: Arm, service: str, policy: str) -> list[str]:
    """The names in a policy that no named value of the service has."""
    known = {entry["properties"]["displayName"] for entry in arm.azure.store.all("arm", f"{service}/namedValues/")}
    return sorted(set(_IN_POLICY.findall(policy)) - known)


def _put(arm: Arm, call: Call, service: str) -> Response:
    held = arm.azure.store.get("arm", call.id)
    wanted: dict[str, Any] = dict(call.body.get("properties") or {})
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,256}", str(wanted.get("displayName", ""))):
        raise Refusal(400, "ValidationError", "displayName may contain only letters, digits, periods, dashes and underscores.")
    value, vault = wanted.pop("value", None), wanted.get("keyVault")
    if (value is None) == (vault is None):
        raise Refusal(400, "ValidationError", "Either a value or a keyVault must be given, and not both.")
    if vault is not None:
        value, wanted["keyVault"] = _read(arm, service, str(vault.get("secretIdentifier", "")))
        status = wanted["keyVault"]["lastStatus"]
        if status["code"] != "Success":
            text = f"Failed to access the Key Vault secret {vault['secretIdentifier']}: {status['code']}: {status['message']}"
            raise Refusal(400, "ValidationError", text)
    if not wanted.get("secret"):
        wanted["value"] = value
    stored = arm.put(call, {"properties": wanted, "_value": value}, KIND)
    return arm.accepted(call, ENTITY_WRITTEN, 200 if held else 201, visible(stored))


def _read(arm: Arm, service: str, identifier: str) -> tuple[str | None, dict[str, Any]]:
    """What the vault answers to the service: a value, and the ``keyVault`` property with its last status."""
    found = re.fullmatch(r"https://([a-z0-9-]+)\.[^/]+/secrets/([A-Za-z0-9-]+)(/[0-9a-f]+)?/?", identifier)
    if found is None:
        raise Refusal(400, "ValidationError", f"'{identifier}' is not a secret identifier of Key Vault.")
    store, principal = arm.azure.store, (arm.azure.store.get("arm", service) or {}).get("identity", {}).get("principalId", "")
    vault, secret = store.get("vaults", found[1]), store.get("secrets", f"{found[1]}/{found[2]}")
    version = secret["versions"][-1] if secret else None
    if vault is None or not holds(store, principal, vault["id"], {SECRETS_OFFICER, SECRETS_USER}):
        code, message = "Forbidden", "Caller is not authorized to perform action on resource."
    elif version is None:
        code, message = "SecretNotFound", f"A secret with (name/id) {found[2]} was not found in this key vault."
    elif not version["attributes"]["enabled"]:
        code, message = "Forbidden", "Operation get is not allowed on a disabled secret."
    else:
        code, message = "Success", ""
    status = {"code": code, "message": message, "timeStampUtc": datetime.now(UTC).isoformat()}
    return version["value"] if version and code == "Success" else None, {"secretIdentifier": identifier, "lastStatus": status}


def _action(arm: Arm, call: Call, service: str) -> Response:
    id, action = call.id.rsplit("/", 1)
    held = arm.found(call, id)
    if action.lower() == "listvalue":
        return JSONResponse({"value": held["_value"]})
    if action.lower() != "refreshsecret":
        raise Refusal(404, "InvalidResourceType", f"The action '{action}' is not known.")
    properties = held["properties"]
    if "keyVault" not in properties:
        raise Refusal(400, "ValidationError", "The named value does not come from Key Vault.")
    value, properties["keyVault"] = _read(arm, service, properties["keyVault"]["secretIdentifier"])
    arm.azure.store.put("arm", id, {**held, "_value": held["_value"] if value is None else value})
    return arm.accepted(call, ENTITY_WRITTEN, 202, visible(held))


def _delete(arm: Arm, call: Call, service: str) -> Response:
    held = arm.azure.store.get("arm", call.id)
    if held is None:
        return Response(status_code=204)
    name = "{{" + held["properties"]["displayName"] + "}}"
    for entry in arm.azure.store.all("arm", service + "/"):
        if entry["type"].endswith("/policies") and name in str(entry["properties"].get("value")):
            raise Refusal(400, "ValidationError", f"The named value is used by the policy {entry['id']}.")
    arm.remove(call.id)
    return Response(status_code=200)
