"""Microsoft.Resources: resource providers and whether they are registered with a subscription. A fresh subscription has few of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.pace import PROVIDER_REGISTERED

if TYPE_CHECKING:
    from genai_platform.sandbox.azure.arm import Arm, Call

NAMESPACES = {
    "Microsoft.ApiManagement": ("service", "deletedServices"),
    "Microsoft.Authorization": ("roleAssignments", "roleDefinitions"),
    "Microsoft.CognitiveServices": ("accounts", "accounts/deployments", "deletedAccounts"),
    "Microsoft.KeyVault": ("vaults", "deletedVaults"),
    "Microsoft.Resources": ("resourceGroups", "subscriptions"),
}
"""The providers of the sandbox, and their resource types."""
_ALWAYS = ("microsoft.authorization", "microsoft.resources")
"""Registered in every subscription from the beginning (Azure resource providers and types)."""


def providers(arm: Arm, call: Call) -> Response:
    """List, show, register and unregister."""
    from genai_platform.sandbox.azure.arm_admission import Refusal

    words = call.id.split("/")
    if len(words) == 4:
        return JSONResponse({"value": [_shown(arm, call, name) for name in NAMESPACES]})
    name = next((name for name in NAMESPACES if name.lower() == words[4].lower()), None)
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{words[4]}' is invalid.")
    if call.method == "POST":
        until = arm.azure.after(PROVIDER_REGISTERED) if words[5].lower() == "register" else None
        if until is None or state(arm.azure.store, call.subscription, name) == "NotRegistered":
            register(arm.azure.store, call.subscription, name, until)
    return JSONResponse(_shown(arm, call, name))


def register(store: Store, subscription: str, namespace: str, at: float | None = 0.0) -> None:
    """Write down since when a provider is registered; with None that it is not."""
    store.put("providers", f"{subscription}/{namespace}", {"namespace": namespace, "registeredAt": at})


def state(store: Store, subscription: str, namespace: str) -> str:
    """``Registered``, ``Registering`` or ``NotRegistered``."""
    if namespace.lower() in _ALWAYS:
        return "Registered"
    at = (store.get("providers", f"{subscription}/{namespace}") or {}).get("registeredAt")
    return "NotRegistered" if at is None else "Registered" if time.time() >= at else "Registering"


def registered(store: Store, subscription: str, namespace: str) -> bool:
    """Whether a provider answers for the subscription."""
    return state(store, subscription, namespace) == "Registered"


def _shown(arm: Arm, call: Call, name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{call.subscription}/providers/{name}",
        "namespace": name,
        "registrationState": state(arm.azure.store, call.subscription, name),
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [{"resourceType": kind, "locations": ["Japan East"], "apiVersions": ["2024-05-01"]} for kind in NAMESPACES[name]],
    }
