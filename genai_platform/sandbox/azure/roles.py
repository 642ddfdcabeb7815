"""Azure role assignments: who may do what at which scope, effective after a moment as on Azure."""

from __future__ import annotations

import time
from typing import Any

from genai_platform.sandbox.azure.store import Store

SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACCESS_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
OPENAI_CONTRIBUTOR = "a001fd3d-188f-4b5d-821b-7da978bf7442"
"""Built-in role definition ids (Azure built-in roles, read November 2026)."""

NAMES = {
    "Contributor": CONTRIBUTOR,
    "Owner": OWNER,
    "Role Based Access Control Administrator": ACCESS_ADMINISTRATOR,
    "Cognitive Services OpenAI Contributor": OPENAI_CONTRIBUTOR,
    "Cognitive Services OpenAI User": OPENAI_USER,
    "Key Vault Secrets Officer": SECRETS_OFFICER,
    "Key Vault Secrets User": SECRETS_USER,
}


def holds(store: Store, principal_id: str, scope: str, roles: set[str]) -> bool:
    """Whether a principal holds one of some roles, given by their definition ids, at a scope or above it."""
    return any(
        assignment["roleId"] in roles
        and f"{scope}/".lower().startswith(f"{assignment['scope'].rstrip('/')}/".lower())
        and time.time() >= assignment["effectiveAt"]
        for assignment in _assignments(store, principal_id)
    )


def holds_inside(store: Store, principal_id: str, scope: str) -> bool:
    """Whether a principal holds any role at a scope, above it or below it."""
    subscription = "/".join(scope.lower().split("/")[:3])
    return any(assignment["scope"].lower().startswith(subscription) for assignment in _assignments(store, principal_id))


def _assignments(store: Store, principal_id: str) -> list[dict[str, Any]]:
    seeded = [{**entry, "roleId": NAMES[entry["role"]]} for entry in store.all("seededRoles")]
    return [entry for entry in seeded + store.all("roleAssignments") if entry["principalId"] == principal_id]
