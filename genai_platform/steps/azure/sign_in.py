"""azure.sign_in: an Entra application for each tool that people sign in to with Entra ID, and who is assigned to it.

Entra ID itself lets in nobody who is not assigned. The client secret lies with the platform's other secrets; its successor is made
in time, and pods that still use the old one have a day to be exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.config.sign_in import TOOLS
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import NeverBuilt
from genai_platform.render import sign_in as render
from genai_platform.render.addresses import listener
from genai_platform.render.secrets import PlatformSecrets, SignInClient
from genai_platform.render.sign_in import Judged
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.application import remove_applications, revive
from genai_platform.steps.azure.callers.client_secrets import held
from genai_platform.steps.azure.lookup import AzureStep
from genai_platform.steps.azure.sign_in_people import Assigned, application_roles, assigned, settle
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.rest import Body

PASSWORD_DAYS = 180
RENEW_DAYS = 30
"""A client secret that ends this soon gets a successor at the next ``up``."""
_OVERLAP = timedelta(days=1)
_GRAPH = "00000003-0000-0000-c000-000000000000"
_DELEGATED = (
    "e1fe6dd8-ba31-4d61-89e7-88639da4683d",  # User.Read
    "37f7f235-527c-4136-accd-4a02d197296e",  # openid
    "14dad69e-099b-42c9-810b-d002981feec1",  # profile
    "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",  # email
)
"""What both tools ask of Microsoft Graph (permissions reference); listed, so that an administrator can consent for everybody."""


def prefix(clients: Clients) -> str:
    """What the names of these applications begin with."""
    return f"{entra_applications.prefix(clients.target)}sign-in."


def address(clients: Clients, tool: str) -> str:
    """The tool's address as browsers see it. Without a domain it is the load balancer's: raises ``StepError`` while there is none."""
    own = listener(clients.target.settings, tool)
    if own.host is None:
        return clients.need_address(tool)
    return f"https://{own.host}" + ("" if own.port == 443 else f":{own.port}")


@dataclass(frozen=True)
class Seen:
    """One tool's application as it is."""

    entry: Body
    principal: Body | None
    assigned: Assigned


class SignInStep(AzureStep):
    """Application, redirect address, client secret and assignments of each tool."""

    id = render.STEP
    minutes = 0.3
    limit = 1200.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.tools = render.tools(clients.target.settings)
        named = clients.target.settings.ingress.domain is not None
        self.needs = ("infra.secrets", *(() if named else (f"{tool}.ingress" for tool in self.tools)))
        self.what = f"applications for signing in to {' and '.join(self.tools)}"

    # -- looking ----------------------------------------------------------------------------------
    def look(self) -> Observation:
        found = self._applications()
        if not found:
            return absent("no application for signing in")
        kept = self.clients.secrets().sign_in
        faults = [f"{tool}: must not be there" for tool in found if tool not in self.tools]
        for tool in self.tools:
            seen = self._seen(found[tool]) if tool in found else None
            faults += [f"{tool}: {fault}" for fault in (self._faults(tool, seen, kept.get(tool)) if seen else ["missing"])]
        return drifted("; ".join(faults)) if faults else present(self._evidence())

    def judged(self, tool: str) -> Judged:
        """A tool's application beside the configuration. Raises ``NeverBuilt`` when there is none."""
        found = entra_applications.application(self.clients, prefix(self.clients) + tool)
        if found is None:
            text = f"the Entra application for signing in to {tool} does not exist"
            raise NeverBuilt(text, remedy=run_genai(f"up --only {self.id}"), id=self.id)
        who, kept = self.target.settings.sign_in, self.clients.secrets().sign_in.get(tool)
        faults = self._faults(tool, self._seen(found), kept)
        return Judged(str(found["appId"]), len(who.groups) + len(who.people), tuple(faults))

    def _faults(self, tool: str, seen: Seen, kept: SignInClient | None) -> list[str]:
        own = [*self._application_faults(tool, seen), *_secret_faults(seen.entry, kept, address(self.clients, tool))]
        return own or self._assignment_faults(tool, seen)

    def _applications(self) -> dict[str, Body]:
        start = prefix(self.clients)
        return {str(one["uniqueName"]).removeprefix(start): one for one in entra_applications.applications(self.clients, start)}

    def _seen(self, entry: Body) -> Seen:
        graph = self.clients.azure.graph
        principal = graph.principal(str(entry["appId"]))
        return Seen(entry, principal, assigned(graph.assignments(str(principal["id"]))) if principal else Assigned({}))

    def _application_faults(self, tool: str, seen: Seen) -> list[str]:
        faults, wanted = [], render.redirect_uri(tool, address(self.clients, tool))
        redirects = list((seen.entry.get("web") or {}).get("redirectUris") or ())
        if redirects != [wanted]:
            faults.append(f"sends people back to {', '.join(redirects) or 'nowhere'} instead of {wanted}")
        roles = {(role["id"], role["value"]) for role in seen.entry.get("appRoles") or () if role.get("isEnabled", True)}
        if lacking := [role["value"] for role in self._body(tool)["appRoles"] if (role["id"], role["value"]) not in roles]:
            faults.append(f"lacks the role {', '.join(lacking)}")
        if not entra_applications.marked(self.target, seen.entry):
            faults.append("does not carry this environment's tags")
        if seen.principal is None:
            faults.append("has no service principal")
        elif not seen.principal.get("appRoleAssignmentRequired"):
            faults.append("lets in people who are not assigned")
        return faults

    def _assignment_faults(self, tool: str, seen: Seen) -> list[str]:
        missing, others = seen.assigned.compared(self.clients, tool)
        return [
            *([f"{', '.join(missing)} not assigned"] if missing else []),
            *([f"{', '.join(others)} assigned, but not configured"] if others else []),
        ]

    def _evidence(self) -> str:
        groups, people = len(self.target.settings.sign_in.groups), len(self.target.settings.sign_in.people)
        count = [f"{groups} group{'' if groups == 1 else 's'}"] if groups else []
        count += [f"{people} {'person' if people == 1 else 'people'}"] if people else []
        return f"{' and '.join(self.tools)}: {' and '.join(count)} may sign in"

    # -- doing ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        found, kept = self._applications(), self.clients.secrets().sign_in
        for tool in [tool for tool in found if tool not in self.tools]:
            remove_applications(self.clients, prefix(self.clients) + tool, progress)
            self._store(tool, None)
        for tool in self.tools:
            self._ensure(tool, found.get(tool), kept.get(tool), progress)
        return self._evidence()

    def _ensure(self, tool: str, found: Body | None, kept: SignInClient | None, progress: Progress) -> None:
        graph, name = self.clients.azure.graph, prefix(self.clients) + tool
        progress.say(f"making the application {name}")
        if found is None:
            revive(self.clients, name, progress)
        entry = entra_applications.ensure(self.clients, name, self._body(tool))
        principal = str(graph.ensure_principal(str(entry["appId"]))["id"])
        graph.change_principal(principal, {"appRoleAssignmentRequired": True})
        progress.check()
        self._secret(tool, entry, kept)
        settle(self.clients, tool, principal, progress)

    def _secret(self, tool: str, entry: Body, kept: SignInClient | None) -> None:
        """The client secret is stored before the pods use it, and removed when they no longer do."""
        graph, now, id = self.clients.azure.graph, datetime.now(UTC), str(entry["id"])
        there, where = held(entry), address(self.clients, tool)
        if kept is None or kept.client_id != entry["appId"] or kept.key_id not in there or _ends_soon(kept):
            until = (now + timedelta(days=PASSWORD_DAYS)).replace(microsecond=0)
            key_id, value = graph.add_password(id, f"sign-in {tool}", until)
            before = kept.key_id if kept is not None and kept.key_id in there else None
            fresh = SignInClient(client_id=str(entry["appId"]), address=where, key_id=key_id, secret=value, expires=until)
            kept = fresh.model_copy(update={"previous": before, "previous_until": now + _OVERLAP} if before else {})
        elif _over(kept):
            kept = kept.model_copy(update={"previous": None, "previous_until": None})
        kept = kept.model_copy(update={"address": where})
        self._store(tool, kept)
        for key_id in sorted(there - {kept.key_id, kept.previous}):
            graph.remove_password(id, key_id)

    def _store(self, tool: str, kept: SignInClient | None) -> None:
        def change(stored: PlatformSecrets | None) -> PlatformSecrets:
            before = stored or PlatformSecrets()
            others = {name: one for name, one in before.sign_in.items() if name != tool}
            return before.model_copy(update={"sign_in": others | ({tool: kept} if kept else {})})

        self.clients.aws.update_secrets(change)

    def _body(self, tool: str) -> dict[str, Any]:
        return {
            "signInAudience": "AzureADMyOrg",
            "web": {"redirectUris": [render.redirect_uri(tool, address(self.clients, tool))]},
            "appRoles": application_roles(prefix(self.clients) + tool, tool),
            "requiredResourceAccess": [{"resourceAppId": _GRAPH, "resourceAccess": [{"id": one, "type": "Scope"} for one in _DELEGATED]}],
        }

    # -- removing ---------------------------------------------------------------------------------
    def destroy(self, progress: Progress) -> str:
        said = remove_applications(self.clients, prefix(self.clients), progress)
        if self.clients.aws.platform_secrets() is not None:
            for tool in TOOLS:
                self._store(tool, None)
        return said


def _secret_faults(entry: Mapping[str, Any], kept: SignInClient | None, where: str) -> list[str]:
    there = held(dict(entry))
    if kept is None or kept.client_id != entry["appId"] or kept.key_id not in there:
        return ["has no client secret that is known here"]
    if _ends_soon(kept):
        return [f"its client secret ends on {kept.expires.date()}"]
    if kept.address != where:
        return [f"is configured for {kept.address}"]
    if there - {kept.key_id, None if _over(kept) else kept.previous}:
        return ["has a client secret that nothing uses"]
    return []


def _ends_soon(kept: SignInClient) -> bool:
    return kept.expires <= datetime.now(UTC) + timedelta(days=RENEW_DAYS)


def _over(kept: SignInClient) -> bool:
    """Whether no pod uses the client secret before this one any more."""
    return kept.previous_until is not None and kept.previous_until <= datetime.now(UTC)
