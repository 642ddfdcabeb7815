"""Microsoft.Authorization: role assignments and the definitions of built-in roles."""

from __future__ import annotations

import re
import time

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.arm import Arm, visible
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, not_found
from genai_platform.sandbox.azure.roles import ACCESS_ADMINISTRATOR, CONTRIBUTOR, NAMES, OPENAI_CONTRIBUTOR, OPENAI_USER, OWNER, holds
from genai_platform.sandbox.pace import DIRECTORY_OBJECT_SHOWN, ROLE_ASSIGNED, ROLE_ASSIGNED_TO_IDENTITY

_KIND = "Microsoft.Authorization/roleAssignments"


def role_assignments(arm: Arm, call: Call) -> Response:
    """PUT is idempotent by name; the same principal, role and scope under another name is a conflict."""
    scope = re.split(r"(?i)/providers/microsoft\.authorization/", call.id)[0]
    if call.id.lower().endswith("/roleassignments"):
        return _listed(arm, call, scope)
    if call.method == "PUT":
        return _assign(arm, call, scope)
    if call.method == "DELETE":
        held = arm.azure.store.get("arm", call.id)
        if held is None:
            return Response(status_code=204)
        arm.remove(call.id)
        arm.azure.store.delete("roleAssignments", call.id)
        return JSONResponse(visible(held))
    return arm.get(call)


def _assign(arm: Arm, call: Call, scope: str) -> Response:
    wanted = call.body["properties"]
    role = str(wanted["roleDefinitionId"]).rsplit("/", 1)[1].lower()
    if role not in NAMES.values():
        raise Refusal(400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role}' does not exist.")
    principal = str(wanted["principalId"])
    kind = _kind(arm, call, principal)
    if kind is None:
        raise Refusal(400, "PrincipalNotFound", f"Principal {principal} does not exist in the directory.")
    if wanted.get("principalType", kind) != kind:
        text = f"The PrincipalId '{principal}' has type '{kind}', which is different from specified PrincipalType"
        raise Refusal(400, "UnmatchedPrincipalType", f"{text} '{wanted['principalType']}'.")
    for other in arm.azure.store.all("roleAssignments"):
        same = (other["principalId"], other["roleId"], other["scope"].lower()) == (principal, role, scope.lower())
        if same and other["id"].lower() != call.id.lower():
            raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
    existed = arm.exists(call.id)
    stored = arm.put(call, {"properties": {**wanted, "scope": scope}}, _KIND)
    if not existed:
        of_a_resource = arm.azure.store.get("managedIdentities", principal) is not None
        effective = arm.azure.after(ROLE_ASSIGNED_TO_IDENTITY if of_a_resource else ROLE_ASSIGNED)
        entry = {"id": call.id, "scope": scope, "principalId": principal, "roleId": role, "effectiveAt": effective}
        arm.azure.store.put("roleAssignments", call.id, entry)
    return JSONResponse(visible(stored), 200 if existed else 201)


def _kind(arm: Arm, call: Call, principal: str) -> str | None:
    """What a principal is in the subscription's own tenant; None for an unknown one."""
    store = arm.azure.store
    directory = arm.azure.directory(tenancy.tenant_of(store, call.id))
    if directory.get("users", principal):
        return "User"
    identity = store.get("managedIdentities", principal)
    if identity and time.time() < identity.get("createdAt", 0) + arm.azure.layout.pace.of(DIRECTORY_OBJECT_SHOWN):
        return None
    known = directory.get("servicePrincipals", principal) or identity
    return "ServicePrincipal" if known else None


def _listed(arm: Arm, call: Call, scope: str) -> Response:
    found = [arm.azure.store.get("arm", entry["id"]) for entry in arm.azure.store.all("roleAssignments")]
    at = [entry for entry in found if entry and entry["id"].lower().startswith(scope.lower())]
    principal = re.search(r"principalId eq '([^']+)'", call.query.get("$filter", ""))
    if principal:
        at = [entry for entry in at if entry["properties"]["principalId"] == principal[1]]
    return JSONResponse({"value": [visible(entry) for entry in at]})


def permissions(arm: Arm, call: Call) -> Response:
    """What the caller may do at a scope, one entry for each role held there."""
    scope = re.split(r"(?i)/providers/microsoft\.authorization/", call.id)[0]
    entries = [entry for role, entry in _ACTIONS.items() if holds(arm.azure.store, call.caller, scope, {role})]
    return JSONResponse({"value": entries})


_ACTIONS = {
    OWNER: {"actions": ["*"], "notActions": []},
    CONTRIBUTOR: {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]},
    ACCESS_ADMINISTRATOR: {"actions": ["Microsoft.Authorization/roleAssignments/*", "*/read"], "notActions": []},
}

_DATA_ACTIONS = {
    OPENAI_USER: (
        "Microsoft.CognitiveServices/accounts/OpenAI/*/read",
        "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
        "Microsoft.CognitiveServices/accounts/OpenAI/deployments/completions/action",
        "Microsoft.CognitiveServices/accounts/OpenAI/deployments/embeddings/action",
        "Microsoft.CognitiveServices/accounts/OpenAI/responses/*",
    ),
    OPENAI_CONTRIBUTOR: ("Microsoft.CognitiveServices/accounts/OpenAI/*",),
}
"""What these roles allow at an account itself (a part of the built-in definitions)."""


def role_definitions(arm: Arm, call: Call) -> Response:
    """Built-in roles by name or id."""
    entries = [_definition(name, id) for name, id in NAMES.items()]
    if call.id.lower().endswith("/roledefinitions"):
        named = re.fullmatch(r"roleName eq '([^']+)'", call.query.get("$filter", ""))
        if named:
            entries = [entry for entry in entries if entry["properties"]["roleName"].lower() == named[1].lower()]
        return JSONResponse({"value": entries})
    found = next((entry for entry in entries if entry["name"] == call.name.lower()), None)
    if found is None:
        raise not_found(call)
    return JSONResponse(found)


def _definition(name: str, id: str) -> Body:
    actions = {**_ACTIONS.get(id, {"actions": [], "notActions": []}), "dataActions": list(_DATA_ACTIONS.get(id, ()))}
    properties = {"roleName": name, "type": "BuiltInRole", "assignableScopes": ["/"], "permissions": [actions]}
    return {"id": f"/providers/Microsoft.Authorization/roleDefinitions/{id}", "name": id, "properties": properties}
