"""Microsoft.Resources: resource providers and whether they are registered with a subscription."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.arm import Arm, Body, Call, Refusal

NAMESPACES = {
    "Microsoft.ApiManagement": ("service", "deletedServices"),
    "Microsoft.Authorization": ("roleAssignments", "roleDefinitions"),
    "Microsoft.KeyVault": ("vaults", "deletedVaults"),
    "Microsoft.Resources": ("resourceGroups", "subscriptions"),
}
"""The providers of the sandbox, and their resource types."""


def providers(arm: Arm, call: Call) -> Response:
    """List, show, register and unregister."""
    words = call.id.split("/")
    if len(words) == 4:
        return JSONResponse({"value": [_shown(arm, call, name) for name in NAMESPACES]})
    name = next((name for name in NAMESPACES if name.lower() == words[4].lower()), None)
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{words[4]}' is invalid.")
    if call.method == "POST":
        state = "Registered" if words[5].lower() == "register" else "Unregistered"
        arm.world.store.put("providers", f"{call.subscription}/{name}", {"registrationState": state})
    return JSONResponse(_shown(arm, call, name))


def _shown(arm: Arm, call: Call, name: str) -> Body:
    known = arm.world.store.get("providers", f"{call.subscription}/{name}") or {"registrationState": "Registered"}
    return {
        "id": f"/subscriptions/{call.subscription}/providers/{name}",
        "namespace": name,
        "registrationState": known["registrationState"],
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [{"resourceType": kind, "locations": ["Japan East"], "apiVersions": ["2024-05-01"]} for kind in NAMESPACES[name]],
    }
