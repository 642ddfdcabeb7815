"""azure.model_access: LiteLLM asks models of Azure OpenAI without a key: as an application that trusts its service account.

The trust is a federated credential: of this cluster's issuer, this namespace and this service account alone. The application
has no secret. What it may do is one role at exactly the accounts that are used.
"""

from __future__ import annotations

from collections.abc import Sequence

from genai_platform.advice import run_genai
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import NeverBuilt
from genai_platform.render.workload_identity import SERVICE_ACCOUNT, SUBJECT, WorkloadIdentity
from genai_platform.steps.azure import entra_applications, model_accounts, role_assignment
from genai_platform.steps.azure.application import remove_applications, revive
from genai_platform.steps.azure.lookup import AzureStep
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.arm import OPENAI_USER
from genai_platform.tools.azure.cognitive import Account
from genai_platform.tools.azure.federated_credentials import FederatedCredential
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.azure.transport import public

ROLE = "Cognitive Services OpenAI User"
_BODY: Body = {"signInAudience": "AzureADMyOrg"}


class ModelAccessStep(AzureStep):
    """Application, service principal, federated credential, a role assignment at each account."""

    id = "azure.model_access"
    minutes = 0.3
    limit = 900.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        made = ("azure.openai",) if clients.target.settings.azure.openai else ()
        self.needs = ("azure.group", "infra.cluster", *made)
        self.name = entra_applications.models_name(clients.target)
        self.what = f"application {self.name} and its role at the models' accounts"

    def look(self) -> Observation:
        graph = self.clients.azure.graph
        found = entra_applications.application(self.clients, self.name)
        if found is None:
            return absent(f"application {self.name}: not there")
        principal, faults = graph.principal(str(found["appId"])), []
        if not entra_applications.marked(self.target, found):
            faults.append("does not carry this environment's tags")
        faults += self._trust_faults(graph.federated_credentials.of(str(found["id"])))
        try:
            accounts = model_accounts.used(self.clients)
        except NeverBuilt as error:
            return drifted(f"{self.name}: {error.message}")
        if principal is None:
            faults.append("has no service principal")
        else:
            faults += self._role_faults(str(principal["id"]), accounts)
        if faults:
            return drifted(f"{self.name}: {'; '.join(faults)}")
        return present(f"{self.name} ({found['appId']}) may use {_names(accounts)}")

    def _trust_faults(self, held: list[FederatedCredential]) -> list[str]:
        wanted = self._credential()
        if wanted not in held:
            other = next((one.issuer for one in held if one.subject == wanted.subject and one.issuer != wanted.issuer), None)
            return [f"trusts {other}, which is not this cluster's issuer" if other else "does not trust LiteLLM's service account"]
        return [f"trusts {one.subject} of {one.issuer}, too" for one in held if one != wanted]

    def _role_faults(self, principal: str, accounts: list[Account]) -> list[str]:
        arm = self.clients.azure.arm
        faults = [f"lacks {ROLE} at {one.name}" for one in accounts if arm.assignment(one.id, principal, OPENAI_USER) is None]
        return faults + [f"holds {ROLE} at {scope.rsplit('/', 1)[1]}, too" for scope in self._unused(principal, accounts)]

    def _unused(self, principal: str, accounts: list[Account]) -> dict[str, str]:
        """The scopes of this environment's role assignments that no configured model is in, each with the assignment's id."""
        used = {one.id.lower() for one in accounts}
        held = self.clients.azure.arm.own_assignments(principal, OPENAI_USER)
        return {scope: id for scope, id in held.items() if scope.lower() not in used}

    def _credential(self) -> FederatedCredential:
        return FederatedCredential(SERVICE_ACCOUNT, self.clients.cluster().oidc_issuer, SUBJECT)

    def apply(self, progress: Progress) -> str:
        graph, arm = self.clients.azure.graph, self.clients.azure.arm
        wanted, accounts = self._credential(), model_accounts.used(self.clients)
        revive(self.clients, self.name, progress)
        progress.say(f"making the application {self.name}")
        found = entra_applications.ensure(self.clients, self.name, _BODY)
        id, principal = str(found["id"]), str(graph.ensure_principal(str(found["appId"]))["id"])
        for one in graph.federated_credentials.of(id):
            if one.name != wanted.name:
                graph.federated_credentials.remove(id, one.name)
        graph.federated_credentials.ensure(id, wanted)
        for account in accounts:
            what = f"waiting until {self.name} is known, to give it a role at {account.name}"
            role_assignment.assign(self.clients, account.id, principal, OPENAI_USER, progress, what)
        for assignment in self._unused(principal, accounts).values():
            arm.unassign(assignment)
        return f"{self.name} ({found['appId']}) may use {_names(accounts)}"

    def destroy(self, progress: Progress) -> str:
        held = role_assignments(self.clients, entra_applications.deleted(self.clients, self.name))
        for assignment in held:
            progress.check()
            self.clients.azure.arm.unassign(assignment)
        text = remove_applications(self.clients, self.name, progress)
        return f"removed {len(held)} role assignment{'' if len(held) == 1 else 's'}, {text.removeprefix('removed ')}"


def role_assignments(clients: Clients, deleted: Sequence[Body]) -> list[str]:
    """The ids of this environment's role assignments at accounts.

    Args:
        deleted: its soft-deleted applications: one that somebody deleted leaves its role assignments behind.
    """
    graph, name = clients.azure.graph, entra_applications.models_name(clients.target)
    found = entra_applications.application(clients, name)
    principal = graph.principal(str(found["appId"])) if found else None
    held = [principal] if principal else []
    if any(name in (one.get("uniqueName"), one.get("displayName")) for one in deleted):
        held += [one for one in entra_applications.deleted_principals(clients, name) if one.get("displayName") == name]
    arm = clients.azure.arm
    return sorted(id for one in held for id in arm.own_assignments(str(one["id"]), OPENAI_USER).values())


def identity(clients: Clients) -> WorkloadIdentity | None:
    """As what LiteLLM's pod signs in to Entra ID; None where every model has a key, or none is of Azure OpenAI.

    Raises:
        NeverBuilt: the application is not there yet.
    """
    if not clients.target.settings.litellm.keyless:
        return None
    found = entra_applications.application(clients, entra_applications.models_name(clients.target))
    if found is None:
        raise NeverBuilt(
            "the application as which LiteLLM asks models without a key is not there yet",
            remedy=run_genai("azure --only model_access"),
            id="azure.no_model_access",
        )
    authority = clients.target.endpoints.azure.authority
    return WorkloadIdentity(str(found["appId"]).lower(), clients.azure.tenant, None if public(authority) else authority)


def _names(accounts: list[Account]) -> str:
    return ", ".join(one.name for one in accounts)
