"""The callers as they were at one moment: identities, role, stored secrets, users and virtual keys. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from genai_platform.config.settings import Caller
from genai_platform.errors import NeverBuilt
from genai_platform.render.policy import APP_ROLE
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.callers import client_secrets
from genai_platform.steps.azure.callers.observed_keys import (
    PREFIX,
    IssuedKeys,
    Keys,
    StoredKeys,
    Unseen,
    issued_keys,
    same_moment,
    seen,
    stored_keys,
)
from genai_platform.steps.azure.callers.settings import expiry
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.caller_secrets import CallerSecrets, StoredCaller
from genai_platform.tools.azure.entra import Entra
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.parallel import begin, gather


@dataclass(frozen=True)
class Api:
    """The API in the directory, and who holds the role that the policy accepts."""

    client_id: str
    principal: str
    assigned: Mapping[str, str]
    """Service principal to app role assignment."""
    holders: Mapping[str, str]
    """Service principal to its display name."""


@dataclass(frozen=True)
class Callers(Keys):
    """A snapshot of all callers of one environment. What is asked of a part that could not be seen raises that part's error."""

    api: Api | Unseen
    applications: Mapping[str, Body]
    """This environment's applications by caller."""
    principals: Mapping[str, str]
    """Client id to service principal, of everything that belongs or belonged to a caller."""
    check_principals: frozenset[str]
    """The service principals of the applications for checks."""
    store: CallerSecrets
    kept: Mapping[str, StoredCaller]
    """What the store keeps of callers' client secrets."""

    @property
    def configured(self) -> Mapping[str, Caller]:
        return self.target.settings.azure.callers

    @property
    def shared(self) -> bool:
        """Whether all callers use one key: none has a user or a key of its own."""
        return self.target.settings.azure.apim.keys == "shared"

    @property
    def graph(self) -> Entra:
        return self.clients.azure.graph

    @property
    def role(self) -> str:
        return _role(self.clients)

    @property
    def api_principal(self) -> str:
        return seen(self.api).principal

    @property
    def assigned(self) -> Mapping[str, str]:
        return seen(self.api).assigned

    @property
    def holders(self) -> Mapping[str, str]:
        return seen(self.api).holders

    def need(self) -> None:
        seen(self.api)
        super().need()

    # -- what is known of one caller -----------------------------------------------------------------
    def client_id(self, name: str) -> str | None:
        """A caller's application id; None while it has none."""
        wanted = self.configured.get(name)
        if wanted and wanted.client_id:
            return wanted.client_id
        found = self.applications.get(name)
        return str(found["appId"]).lower() if found else None

    def principal(self, client: str) -> str | None:
        """The service principal of an application; None where there is none."""
        return self.principals.get(client)

    def revoked(self, name: str) -> bool:
        """Whether a person revoked this caller: then it is left alone."""
        held = self.stored(self.client_id(name))
        return held is not None and "revoked" in held.tags

    def named(self) -> dict[str, str]:
        """Client id to name, of everything seen that belongs or belonged to a caller."""
        found = {str(entry["appId"]).lower(): name for name, entry in self.applications.items()}
        if isinstance(self.stored_keys, StoredKeys):
            for stored in self.stored_keys.secrets.values():
                found.setdefault(stored.name.removeprefix(PREFIX), str(stored.tags.get("caller")))
        for name, kept in self.kept.items():
            found.setdefault(kept.client_id, name)
        if isinstance(self.issued_keys, IssuedKeys):
            for client, keys in self.issued_keys.keys.items():
                names = [str(key.metadata.get("name")) for key in keys if key.metadata.get("caller") == client]
                if names:
                    found.setdefault(client, names[0])
        return found

    # -- judging ------------------------------------------------------------------------------------
    def faults(self, name: str) -> list[str]:
        """What a configured caller lacks; empty for a complete or a revoked one."""
        caller, client = self.configured[name], self.client_id(name)
        if client is None:
            return ["has no application"]
        if self.revoked(name):
            return []
        found = self._secret_faults(name) if caller.client_id is None else []
        if self.principal(client) not in self.assigned:
            found.append("does not hold the role")
        if not self.shared:
            return found + self._key_faults(caller, client)
        return [*found, "has a key of its own, though all share one"] if self.own_key(client) else found

    def _secret_faults(self, name: str) -> list[str]:
        held, kept = client_secrets.held(self.applications[name]), self.kept.get(name)
        if kept is None or not client_secrets.lasting(kept, held):
            return ["has no client secret that lasts"]
        if held - {one.key_id for one in kept.passwords}:
            return ["has a client secret that nobody knows"]
        return ["has a client secret past its overlap"] if held & client_secrets.over(kept) else []

    def _key_faults(self, caller: Caller, client: str) -> list[str]:
        found = []
        user, key = self.users.get(client), self.current(client)
        if user is None:
            found.append("has no user in LiteLLM")
        elif (user.budget, user.duration) != (caller.max_budget, caller.budget_duration):
            found.append("has another budget")
        if key is None:
            found.append("has no key")
        elif not self.limits(caller).same(key) or not same_moment(key.expires, expiry(caller)):
            found.append("has a key with other limits")
        if self.stale(client, key):
            found.append("has a key that nobody stored")
        return found


def observe(clients: Clients, patience: float = 0.0, within: float | None = None) -> Callers:
    """Look at everything that exists for callers, several looks at a time.

    Args:
        patience: seconds to go on asking for the API's application and its service principal, which may have been made a
            moment ago; ``lookup.PATIENCE`` for a step that builds.
        within: seconds to wait for LiteLLM, as in ``issued_keys``.

    Raises:
        GenaiError: a look failed. The API, the vault or LiteLLM may also be ``Unseen``.
    """
    graph, store = clients.azure.graph, CallerSecrets(clients.aws)
    api = begin(lambda: observe_api(clients, patience))
    stored, issued = begin(lambda: stored_keys(clients)), begin(lambda: issued_keys(clients, within))
    own, kept = begin(lambda: applications(clients)), begin(store.read)
    principals = begin(lambda: graph.principals(entra_applications.caller_prefix(clients.target)))
    checks = begin(lambda: graph.principals(entra_applications.probe_prefix(clients.target)))
    found = Callers(
        clients=clients,
        now=datetime.now(UTC),
        stored_keys=stored.result(),
        issued_keys=issued.result(),
        api=api.result(),
        applications=own.result(),
        principals={str(entry["appId"]).lower(): str(entry["id"]) for entry in principals.result()},
        check_principals=frozenset(str(entry["id"]) for entry in checks.result()),
        store=store,
        kept={name: one for name, one in kept.result().items() if not name.startswith(client_secrets.PROBE)},
    )
    # Those of other applications are asked for one by one.
    wanted = {*found.named(), *filter(None, map(found.client_id, found.configured))}
    others = sorted(wanted - set(found.principals))
    asked = {client: str(entry["id"]) for client, entry in zip(others, gather(others, graph.principal), strict=True) if entry}
    return replace(found, principals={**found.principals, **asked})


def observe_api(clients: Clients, patience: float = 0.0) -> Api | Unseen:
    """The API in the directory and who holds its role; unseen while it has no application or no service principal."""
    graph = clients.azure.graph
    try:
        client = entra_applications.api_client_id(clients, patience)
        principal = entra_applications.need_principal(clients, client, patience)
    except NeverBuilt as error:
        return Unseen(error)
    found = [entry for entry in graph.assignments(principal) if entry["appRoleId"] == _role(clients)]
    assigned = {str(entry["principalId"]): str(entry["id"]) for entry in found}
    holders = {str(entry["principalId"]): str(entry.get("principalDisplayName") or entry["principalId"]) for entry in found}
    return Api(client, principal, assigned, holders)


def applications(clients: Clients) -> dict[str, Body]:
    """This environment's applications by caller."""
    prefix = entra_applications.caller_prefix(clients.target)
    return {str(entry["uniqueName"]).removeprefix(prefix): entry for entry in entra_applications.applications(clients, prefix)}


def _role(clients: Clients) -> str:
    return entra_applications.role_id(entra_applications.api_name(clients.target), APP_ROLE)
