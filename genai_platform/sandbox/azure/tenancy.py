"""The tenants and subscriptions of a sandbox and who is known in them: applications that deploy, and people.

A sandbox begins with one tenant, one subscription and one deployer (``world``). Others are added while it runs, so that
several environments can meet in one tenant as they do in a company's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from genai_platform.sandbox.azure.store import Object, Store

TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
"""What every sandbox begins with."""
GRAPH_PERMISSIONS = ("Application.ReadWrite.OwnedBy", "Application.Read.All", "AppRoleAssignment.ReadWrite.All", "User.ReadBasic.All")
DEPLOYER_ROLES = ("Contributor", "Role Based Access Control Administrator")
CLI_SCOPES = "Application.ReadWrite.All AppRoleAssignment.ReadWrite.All Directory.AccessAsUser.All User.Read.All"
"""Delegated Graph permissions in a token of the Azure CLI: what a person may do is these and the person's directory roles."""


class Directory:
    """One tenant's part of the store: objects of other tenants do not exist for it."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store, self.tenant = store, tenant

    def get(self, kind: str, id: str) -> Object | None:
        found = self._store.get(kind, id)
        return found if found and self._holds(found) else None

    def put(self, kind: str, id: str, body: Object) -> None:
        self._store.put(kind, id, {**body, "tenant": self.tenant})

    def delete(self, kind: str, id: str) -> None:
        if self.get(kind, id):
            self._store.delete(kind, id)

    def all(self, kind: str, prefix: str = "") -> list[Object]:
        return [entry for entry in self._store.all(kind, prefix) if self._holds(entry)]

    def find(self, kind: str, field: str, value: str) -> Object | None:
        return next(iter(self.matching(kind, field, value)), None)

    def matching(self, kind: str, field: str, value: str) -> list[Object]:
        return [entry for entry in self._store.matching(kind, field, value) if self._holds(entry)]

    def _holds(self, entry: Object) -> bool:
        # A world of an older version has one tenant and no field for it.
        return bool(entry.get("tenant", TENANT) == self.tenant)


def tenant_of(store: Store, id: str) -> str:
    """The tenant of a subscription, given by its identifier or by any resource's path in it."""
    subscription = id.split("/")[2] if id.startswith("/") else id
    found = store.get("subscriptions", subscription)
    return str(found["tenantId"]) if found else TENANT


def add_subscription(store: Store, subscription: str, tenant: str, name: str) -> None:
    """A subscription of a tenant; the tenant exists from its first subscription on."""
    store.put("subscriptions", subscription, {"subscriptionId": subscription, "tenantId": tenant, "displayName": name})


def add_deployer(store: Store, subscription: str, client_id: str, secret: str, name: str) -> None:
    """An application that may build in a subscription: Graph permissions in its tenant, roles at the subscription."""
    directory = Directory(store, tenant_of(store, subscription))
    application: dict[str, Any] = {
        "id": str(uuid4()),
        "appId": client_id,
        "displayName": name,
        "passwordCredentials": [],
        "appRoles": [],
        "createdAt": 0,
        "graphPermissions": list(GRAPH_PERMISSIONS),
        "secrets": [{"keyId": str(uuid4()), "value": secret, "from": 0, "until": time.time() + 10 * 365 * 86400}],
    }
    principal: dict[str, Any] = {"id": str(uuid4()), "appId": client_id, "displayName": name, "createdAt": 0}
    directory.put("applications", application["id"], application)
    directory.put("servicePrincipals", principal["id"], principal)
    _give_roles(store, subscription, str(principal["id"]))


def add_person(store: Store, subscription: str, name: str, directory_roles: list[str]) -> dict[str, str]:
    """Somebody who signs in and may build in a subscription.

    Args:
        directory_roles: template ids of the directory roles held.
    """
    person = add_user(Directory(store, tenant_of(store, subscription)), name, directory_roles=directory_roles)
    _give_roles(store, subscription, person["object_id"])
    return person


def add_user(directory: Directory, name: str, groups: Sequence[str] = (), directory_roles: Sequence[str] = ()) -> dict[str, str]:
    """Somebody who can sign in.

    Args:
        groups: object ids of security groups; those that do not exist are made.
    """
    person = {"id": str(uuid4()), "userPrincipalName": name, "displayName": name.split("@")[0], "password": secrets.token_urlsafe(16)}
    held = {"wids": list(directory_roles), "groups": list(groups), "mail": name, "createdAt": 0}
    directory.put("users", person["id"], person | held)
    for id in groups:
        if directory.get("groups", id) is None:
            directory.put("groups", id, {"id": id, "displayName": f"group {id[:8]}", "securityEnabled": True, "createdAt": 0})
    return {"object_id": person["id"], "username": name, "password": person["password"]}


def _give_roles(store: Store, subscription: str, principal: str) -> None:
    scope = f"/subscriptions/{subscription}"
    for role in DEPLOYER_ROLES:
        id = f"{scope}/{principal}/{role}"
        store.put("seededRoles", id, {"id": id, "scope": scope, "principalId": principal, "role": role, "effectiveAt": 0})
