"""azure.application: the API's Entra application, whose role callers must hold."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import Forbidden
from genai_platform.render.policy import APP_ROLE
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.entra_applications import api_name, role_id
from genai_platform.steps.azure.lookup import AzureStep
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.entra import Entra

PROBE_ROLE = "Genai.Probe"
"""A role the policy does not accept: `verify` shows with it that a token of the right audience is not enough."""


class ApplicationStep(AzureStep):
    """App roles, an exposed scope, v2 tokens, identifier URI, assignment required."""

    id = "azure.application"
    needs = ()
    minutes = 0.2
    limit = 600.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.name = api_name(clients.target)
        self.what = f"application {self.name}"

    def look(self) -> Observation:
        graph = self.clients.azure.graph
        found = entra_applications.application(self.clients, self.name)
        if found is None:
            return absent(f"application {self.name}: not there")
        principal = graph.principal(str(found["appId"]))
        faults = _faults(found, principal, self._body())
        if not entra_applications.marked(self.target, found):
            faults.append("does not carry this environment's tags")
        return drifted(f"{self.name}: {'; '.join(faults)}") if faults else present(f"{self.name} ({found['appId']})")

    def apply(self, progress: Progress) -> str:
        graph = self.clients.azure.graph
        revive(self.clients, self.name, progress)
        progress.say(f"making the application {self.name}")
        found = entra_applications.ensure(self.clients, self.name, self._body())
        app_id = str(found["appId"])
        graph.change_application(str(found["id"]), {"identifierUris": [f"api://{app_id}"]})
        principal = graph.ensure_principal(app_id)
        graph.change_principal(str(principal["id"]), {"appRoleAssignmentRequired": True})
        return f"{self.name} ({app_id})"

    def destroy(self, progress: Progress) -> str:
        return remove_applications(self.clients, self.name, progress)

    def _body(self) -> dict[str, Any]:
        roles = [(APP_ROLE, "May call the models."), (PROBE_ROLE, "For checks only: the gateway does not accept it.")]
        return {
            "signInAudience": "AzureADMyOrg",
            "api": {
                "requestedAccessTokenVersion": 2,
                "oauth2PermissionScopes": [
                    {
                        "id": str(uuid5(NAMESPACE_URL, f"{self.name}/scope")),
                        "value": "access_as_user",
                        "type": "Admin",
                        "isEnabled": True,
                        "adminConsentDisplayName": "Call the models",
                        "adminConsentDescription": "Call the models through API Management.",
                    }
                ],
            },
            "appRoles": [app_role(self.name, value, text) for value, text in roles],
        }


def app_role(unique_name: str, value: str, text: str, holder: str = "Application") -> dict[str, Any]:
    """A role as Graph writes it, which applications (``User``: people and groups) can hold."""
    return {
        "id": role_id(unique_name, value),
        "allowedMemberTypes": [holder],
        "value": value,
        "displayName": value,
        "description": text,
        "isEnabled": True,
    }


def _faults(found: dict[str, Any], principal: dict[str, Any] | None, wanted: dict[str, Any]) -> list[str]:
    faults = []
    if (found.get("api") or {}).get("requestedAccessTokenVersion") != 2:
        faults.append("does not issue v2 tokens")
    held = {(role["id"], role["value"]) for role in found.get("appRoles") or () if role.get("isEnabled", True)}
    missing = [role["value"] for role in wanted["appRoles"] if (role["id"], role["value"]) not in held]
    if missing:
        faults.append(f"lacks the role {', '.join(missing)}")
    scopes = {scope.get("value") for scope in (found.get("api") or {}).get("oauth2PermissionScopes") or ()}
    if "access_as_user" not in scopes:
        faults.append("exposes no scope")
    if f"api://{found['appId']}" not in (found.get("identifierUris") or ()):
        faults.append("has no identifier URI")
    if principal is None:
        faults.append("has no service principal")
    elif not principal.get("appRoleAssignmentRequired"):
        faults.append("requires no assignment")
    return faults


def revive(clients: Clients, name: str, progress: Progress) -> None:
    """Make way for an application of this name: a soft-deleted one blocks it for 30 days. Purged, or else restored."""
    graph = clients.azure.graph
    for entry in [one for one in graph.deleted(name) if (one.get("uniqueName") or one.get("displayName")) == name]:
        entra_applications.refuse_foreign(clients.target, entry)
        progress.say(f"a deleted application {name} blocks the name: purging it")
        try:
            graph.purge(str(entry["id"]))
        except Forbidden:
            graph.restore(str(entry["id"]))


def remove_applications(clients: Clients, prefix: str, progress: Progress) -> str:
    """Delete and purge the applications whose unique name is or begins with ``prefix``, and what was deleted before.

    One that carries another environment's tags is left alone, and said.
    """
    graph, target = clients.azure.graph, clients.target
    exact = not prefix.endswith(".")
    count, lines = 0, []
    for entry in graph.applications(prefix):
        if exact and entry.get("uniqueName") != prefix:
            continue
        progress.check()
        if other := entra_applications.foreign(target, entry):
            lines.append(f"left alone {entry['uniqueName']}, which carries the tag {other}")
            continue
        erase(graph, str(entry["id"]))
        count += 1
    lines = [f"removed {count} application{'' if count == 1 else 's'}", *lines, purge_deleted(clients, prefix, progress)]
    return ", ".join(filter(None, lines))


def erase(graph: Entra, id: str) -> None:
    """Delete an application and purge it where that is allowed. Lists of deleted objects lag behind: it is purged by its own id."""
    graph.delete_application(id)
    with contextlib.suppress(Forbidden):
        graph.purge(id, fresh=10)


def purge_deleted(clients: Clients, prefix: str, progress: Progress) -> str:
    """Purge our deleted applications and service principals; what may not be purged is said."""
    graph, kept = clients.azure.graph, 0
    exact = not prefix.endswith(".")
    for entry in [*entra_applications.deleted(clients, prefix), *entra_applications.deleted_principals(clients, prefix)]:
        name = entry.get("uniqueName") or entry.get("displayName")
        if exact and name != prefix:
            continue
        progress.check()
        try:
            graph.purge(str(entry["id"]))
        except Forbidden:
            kept += 1
    return f"{kept} stay deleted for 30 days (no right to purge)" if kept else ""
