"""azure.check_applications: two applications with which `verify` shows what the gateway refuses.

Nobody can make Entra ID sign a token that is wrong in one point only. So one application holds a role of the API that the
policy does not accept (and gets tokens for itself, whose audience is another one); the other holds the right role and
has no key. Neither gets anything from a model.
"""

from __future__ import annotations

from typing import Any

from genai_platform.config.target import Target
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.render.policy import APP_ROLE
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.application import PROBE_ROLE, app_role, remove_applications, revive
from genai_platform.steps.azure.callers import client_secrets
from genai_platform.steps.azure.callers.caller import signing_in
from genai_platform.steps.azure.callers.client_secrets import PROBE
from genai_platform.steps.azure.entra_applications import api_client_id, api_name, need_principal, probe_prefix, role_id
from genai_platform.steps.azure.lookup import PATIENCE, AzureStep
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.caller_secrets import CallerSecrets, StoredCaller
from genai_platform.tools.azure.token import Client


def roles(target: Target) -> dict[str, str]:
    """Which role of the API each of them holds. With one key for all, the right role would be enough to be served: nobody has it then."""
    held = {"role": PROBE_ROLE}
    return held if target.settings.azure.apim.keys == "shared" else held | {"key": APP_ROLE}


def _body(unique_name: str) -> dict[str, Any]:
    """Each has a role of its own of the accepted name: a token for itself is then wrong in its audience alone."""
    return {
        "signInAudience": "AzureADMyOrg",
        "api": {"requestedAccessTokenVersion": 2},
        "appRoles": [app_role(unique_name, APP_ROLE, "For checks only.")],
    }


class CheckApplicationsStep(AzureStep):
    """Application, client secret and role of each."""

    id = "azure.check_applications"
    needs = ("azure.application",)
    minutes = 0.2
    limit = 600.0
    what = "applications for checks"

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.roles = roles(clients.target)

    def look(self) -> Observation:
        kept, found = CallerSecrets(self.clients.aws).read(), self._applications()
        if not found and not any(name.startswith(PROBE) for name in kept):
            return absent("no application for checks")
        faults = []
        for name in sorted(set(found) - set(self.roles)):
            faults.append(f"{name}: must not be there")
        for name, role in self.roles.items():
            entry = found.get(name)
            if entry is None:
                faults.append(f"{name}: missing")
            elif self._secret_faults(kept.get(f"{PROBE}{name}"), entry):
                faults.append(f"{name}: has no client secret that lasts")
            elif not self._holds(entry, role):
                faults.append(f"{name}: does not hold {role}")
        return drifted("; ".join(faults)) if faults else present(f"{len(self.roles)} applications for checks")

    def _applications(self) -> dict[str, dict[str, Any]]:
        prefix = probe_prefix(self.target)
        return {str(entry["uniqueName"]).removeprefix(prefix): entry for entry in entra_applications.applications(self.clients, prefix)}

    @staticmethod
    def _secret_faults(kept: StoredCaller | None, entry: dict[str, Any]) -> bool:
        held = client_secrets.held(entry)
        return not client_secrets.lasting(kept, held) or bool(held & client_secrets.over(kept))

    def _holds(self, entry: dict[str, Any], role: str) -> bool:
        graph = self.clients.azure.graph
        principal = graph.principal(str(entry["appId"]))
        if principal is None:
            return False
        wanted = (principal["id"], role_id(api_name(self.target), role))
        held = graph.assignments(need_principal(self.clients, api_client_id(self.clients)))
        return any((one["principalId"], one["appRoleId"]) == wanted for one in held)

    def apply(self, progress: Progress) -> str:
        graph, store, found = self.clients.azure.graph, CallerSecrets(self.clients.aws), self._applications()
        api, stored = need_principal(self.clients, api_client_id(self.clients, PATIENCE), PATIENCE), store.read()
        for name in sorted(set(found) - set(self.roles)):
            remove_applications(self.clients, f"{probe_prefix(self.target)}{name}", progress)
            store.forget([f"{PROBE}{name}"])
        for name, role in self.roles.items():
            progress.say(f"making the application for checks: {name}")
            unique = f"{probe_prefix(self.target)}{name}"
            if name not in found:
                revive(self.clients, unique, progress)
            entry = found.get(name) or entra_applications.ensure(self.clients, unique, _body(unique))
            client = str(entry["appId"]).lower()
            graph.change_application(str(entry["id"]), {"identifierUris": [f"api://{entry['appId']}"]})
            principal = graph.ensure_principal(str(entry["appId"]))
            kept = client_secrets.without_old(graph, stored.get(f"{PROBE}{name}") or StoredCaller(client), entry)
            if not client_secrets.lasting(kept, client_secrets.held(entry)):
                kept = StoredCaller(client, (*kept.passwords, client_secrets.new_password(graph, name, entry)))
            store.put(f"{PROBE}{name}", kept)
            graph.assign(str(principal["id"]), str(principal["id"]), role_id(unique, APP_ROLE), progress.check)
            graph.assign(api, str(principal["id"]), role_id(api_name(self.target), role), progress.check)
        return f"{len(self.roles)} applications for checks"

    def destroy(self, progress: Progress) -> str:
        text = remove_applications(self.clients, probe_prefix(self.target), progress)
        store = CallerSecrets(self.clients.aws)
        store.forget([f"{PROBE}{name}" for name in ("role", "key")])
        store.delete_when_empty()
        return text


def client(clients: Clients, name: str) -> Client | None:
    """How one of them signs in; None while it does not exist."""
    kept = CallerSecrets(clients.aws).read().get(f"{PROBE}{name}")
    if kept is None or not kept.passwords:
        return None
    return signing_in(clients, f"the probe '{name}'", kept.client_id, kept.passwords[-1].value)
