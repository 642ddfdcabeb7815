"""Resource providers, and whether they are registered with a subscription. A fresh subscription has few of them."""

from __future__ import annotations

import time

from genai_platform.sandbox.azure.store import Store

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


def register(store: Store, subscription: str, namespace: str, at: float | None = 0.0) -> None:
    """Write down since when a provider is registered; with None that it is not."""
    store.put("providers", f"{subscription}/{namespace}", {"namespace": namespace, "registeredAt": at})


def state(store: Store, subscription: str, namespace: str) -> str:
    """``Registered``, ``Registering`` or ``NotRegistered``."""
    if namespace.lower() in _ALWAYS:
        return "Registered"
    at = (store.get("providers", f"{subscription}/{namespace}") or {}).get("registeredAt")
    return "NotRegistered" if at is None else "Registered" if time.time() >= at else "Registering"
