"""The callers as the world shows them: identities, roles, stored keys, users and virtual keys. Changes nothing.

Each look is made once, when it is first needed, and covers all callers: make a new object to look again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property

from genai_platform.config.settings import Caller
from genai_platform.errors import Forbidden, StepError
from genai_platform.render.policy import APP_ROLE, CACHE_SECONDS
from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.azure.callers.settings import expiry
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.caller_secrets import CallerSecrets, StoredCaller
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.azure.vaults import Stored, Vault
from genai_platform.tools.litellm.keys import KeyAdmin, Limits, User, VirtualKey

OVERLAP = CACHE_SECONDS + 60
"""Seconds a replaced key goes on working: longer than the gateway keeps one."""
RENEW_DAYS = 14
"""A client secret that ends this soon gets a successor at the next ``up``."""
PREFIX = "litellm-"


def secret_name(client_id: str) -> str:
    """The vault's name for a caller's key; the policy builds the same."""
    return f"{PREFIX}{client_id.lower()}"


class Callers:
    """All callers of one environment.

    Args:
        patience: seconds to go on asking for the API's application and its service principal, which may have been made a
            moment ago; ``lookup.PATIENCE`` while building.
    """

    def __init__(self, clients: Clients, patience: float = 0.0) -> None:
        self._patience = patience
        self.clients = clients
        self.target = clients.target
        self.configured = clients.target.settings.azure.callers
        self.shared = clients.target.settings.azure.apim.keys == "shared"
        """All callers use one key: none has a user or a key of its own."""
        self.graph = clients.azure.graph
        self.store = CallerSecrets(clients.aws)
        self.now = datetime.now(UTC)

    # -- looks ------------------------------------------------------------------------------------
    @cached_property
    def api(self) -> Body:
        return entra_applications.need_api(self.clients, self._patience)

    @property
    def shared_client(self) -> str:
        """In whose name the one key of shared mode is kept: the API's own application's."""
        return str(self.api["appId"]).lower()

    @cached_property
    def api_principal(self) -> str:
        found = self.graph.principal(str(self.api["appId"]), fresh=self._patience)
        if found is None:
            raise StepError(
                "the API's application has no service principal", remedy="run: genai azure --only application", id="azure.no_application"
            )
        return str(found["id"])

    @cached_property
    def role(self) -> str:
        return entra_applications.role_id(entra_applications.api_name(self.target), APP_ROLE)

    @cached_property
    def holders(self) -> dict[str, str]:
        """Principal to its display name, for the role the policy accepts."""
        return {str(entry["principalId"]): str(entry.get("principalDisplayName") or entry["principalId"]) for entry in self._assignments}

    @cached_property
    def assigned(self) -> dict[str, str]:
        """Principal to assignment, for the role the policy accepts."""
        return {str(entry["principalId"]): str(entry["id"]) for entry in self._assignments}

    @cached_property
    def _assignments(self) -> list[Body]:
        return [entry for entry in self.graph.assignments(self.api_principal) if entry["appRoleId"] == self.role]

    @cached_property
    def applications(self) -> dict[str, Body]:
        """Our callers' applications by caller."""
        prefix = entra_applications.caller_prefix(self.target)
        return {str(entry["uniqueName"]).removeprefix(prefix): entry for entry in entra_applications.applications(self.clients, prefix)}

    @cached_property
    def principals(self) -> dict[str, str]:
        """Client id to service principal, of our callers' applications."""
        prefix = entra_applications.caller_prefix(self.target)
        return {str(entry["appId"]).lower(): str(entry["id"]) for entry in self.graph.principals(prefix)}

    PROBE = "probe."
    """What the names begin with under which the client secrets of the applications for checks are kept; no caller has a dot."""

    @cached_property
    def kept(self) -> dict[str, StoredCaller]:
        """What is kept of callers."""
        return {name: kept for name, kept in self._stored.items() if not name.startswith(self.PROBE)}

    @cached_property
    def probes(self) -> dict[str, StoredCaller]:
        """What is kept of the applications for checks."""
        return {name.removeprefix(self.PROBE): kept for name, kept in self._stored.items() if name.startswith(self.PROBE)}

    @cached_property
    def _stored(self) -> dict[str, StoredCaller]:
        return self.store.read()

    @cached_property
    def vault(self) -> Vault:
        return lookup.need_vault(self.clients)

    @cached_property
    def secrets(self) -> dict[str, Stored]:
        """What the vault holds for callers, by the secret's name. Raises ``StepError`` (``azure.403``) without the right to look."""
        try:
            found = self.clients.azure.vaults.secrets(self.vault)
        except StepError as error:
            if not isinstance(error, Forbidden):
                raise
            raise error.said(remedy="run: genai azure --only access (it gives you the right)") from None
        return {entry.name: entry for entry in found if entry.name.startswith(PREFIX) and "caller" in entry.tags}

    @cached_property
    def litellm(self) -> KeyAdmin:
        return self.clients.litellm_admin()

    @cached_property
    def users(self) -> dict[str, User]:
        return self.litellm.users()

    @cached_property
    def keys(self) -> dict[str, list[VirtualKey]]:
        """Virtual keys by client id: those whose alias says so."""
        found: dict[str, list[VirtualKey]] = {}
        for key in self.litellm.virtual_keys():
            client, dot, number = key.alias.rpartition(".")
            if dot and number.isdigit():
                found.setdefault(client, []).append(key)
        return found

    def look(self) -> None:
        """Look at everything now, so that what cannot be seen stops us before anything is changed."""
        for name in ("api_principal", "assigned", "applications", "principals", "kept", "secrets", "users", "keys"):
            getattr(self, name)

    def forget_assignments(self) -> None:
        """Look again at who holds the role when it is asked for next."""
        for name in ("_assignments", "assigned", "holders"):
            self.__dict__.pop(name, None)

    # -- what is known of one caller -----------------------------------------------------------------
    def client_id(self, name: str) -> str | None:
        """A caller's application id; None while it has none."""
        wanted = self.configured.get(name)
        if wanted and wanted.client_id:
            return wanted.client_id
        found = self.applications.get(name)
        return str(found["appId"]).lower() if found else None

    def principal(self, client: str) -> str | None:
        """The service principal of an application; asked for one by one only where the application is not ours."""
        found = self.principals.get(client)
        if found is None and (seen := self.graph.principal(client)):
            found = self.principals[client] = str(seen["id"])
        return found

    def stored(self, client_id: str | None) -> Stored | None:
        return self.secrets.get(secret_name(client_id)) if client_id else None

    def revoked(self, name: str) -> bool:
        """Whether a person revoked this caller: then it is left alone."""
        held = self.stored(self.client_id(name))
        return held is not None and "revoked" in held.tags

    def current(self, client_id: str) -> VirtualKey | None:
        """The live key whose value the vault holds; None when there is none."""
        held = self.stored(client_id)
        if held is None or not held.enabled or (held.expires and held.expires <= self.now):
            return None
        for key in self.keys.get(client_id, ()):
            if key.alias == held.tags.get("alias") and key.hash[:16] == held.tags.get("token") and key.live(self.now):
                return key
        return None

    def stale(self, client: str, current: VirtualKey | None) -> list[VirtualKey]:
        """Keys other than the current one that do not expire by themselves."""
        return [key for key in self.keys.get(client, ()) if key is not current and not _ending(key, self.now)]

    def limits(self, caller: Caller) -> Limits:
        """What a caller's key may do. No models named: all that are configured."""
        models = caller.models or tuple(model.name for model in self.target.settings.litellm.models)
        routes = tuple(template for _, template in lookup.routes(self.target))
        return Limits(models, routes, caller.rpm_limit, caller.tpm_limit)

    def good_secret(self, kept: StoredCaller | None, held: set[str]) -> bool:
        """Whether one of the client secrets in the directory is known here and lasts."""
        soon = self.now + timedelta(days=RENEW_DAYS)
        return kept is not None and any(one.key_id in held and one.expires > soon and not one.remove_after for one in kept.passwords)

    def over(self, kept: StoredCaller | None) -> set[str]:
        """Key ids of client secrets past their overlap, or past their end."""
        return {one.key_id for one in kept.passwords if min(one.remove_after or one.expires, one.expires) <= self.now} if kept else set()

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
            return found + self._key_faults(name, caller, client)
        return [*found, "has a key of its own, though all share one"] if self.own_key(client) else found

    def own_key(self, client: str) -> bool:
        """Whether anything of a key of its own is there for a caller."""
        return bool(self.stored(client) or self.keys.get(client) or client in self.users)

    def _secret_faults(self, name: str) -> list[str]:
        held = {str(entry["keyId"]) for entry in self.applications[name].get("passwordCredentials") or ()}
        kept = self.kept.get(name)
        if kept is None or not self.good_secret(kept, held):
            return ["has no client secret that lasts"]
        if held - {one.key_id for one in kept.passwords}:
            return ["has a client secret that nobody knows"]
        return ["has a client secret past its overlap"] if held & self.over(kept) else []

    def _key_faults(self, name: str, caller: Caller, client: str) -> list[str]:
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


def same_moment(left: datetime | None, right: datetime | None) -> bool:
    """Whether two expiries are the same, but for the seconds that asking takes."""
    if left is None or right is None:
        return left is right
    return abs((left - right).total_seconds()) <= 180


def _ending(key: VirtualKey, now: datetime) -> bool:
    """Whether a replaced key ends within its overlap."""
    return key.expires is not None and key.expires <= now + timedelta(seconds=OVERLAP + 60)
