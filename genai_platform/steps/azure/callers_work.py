"""The callers as the world knows them, and making one complete: identity, role, user, key, stored secret.

Everything is looked up once, then each caller is worked on by itself, several at a time. Each part of a caller is made
so that being killed after it leaves something the next run recognises: nothing is made twice, and the budget lies on a
user that is never made anew while it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from genai_platform.config.settings import Caller
from genai_platform.errors import GenaiError, MissingError, StepError
from genai_platform.graph.step import Progress
from genai_platform.render.policy import APP_ROLE, CACHE_SECONDS
from genai_platform.steps.azure import site
from genai_platform.steps.azure.application import revive, role_id
from genai_platform.steps.azure.keys import Key, KeyState
from genai_platform.steps.azure.questions import expiry
from genai_platform.steps.doors import Doors
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.azure.vaults import Stored, Vault
from genai_platform.tools.caller_store import CallerStore, Kept, Password
from genai_platform.tools.litellm_keys import KeyAdmin, Limits, User, VirtualKey

OVERLAP = CACHE_SECONDS + 60
"""Seconds a replaced key goes on working: longer than the gateway keeps one."""
AT_ONCE = 8
PASSWORD_DAYS = 180
RENEW_DAYS = 14
"""A client secret that ends this soon gets a successor at the next ``up``."""


def secret_name(client_id: str) -> str:
    """The vault's name for a caller's key; the policy builds the same."""
    return f"litellm-{client_id.lower()}"


@dataclass(frozen=True)
class Identity:
    """A caller in the directory."""

    client_id: str
    object_id: str | None
    """The application's; None for an existing application, which is not ours to change."""
    principal: str
    password_ids: frozenset[str]


class Callers:
    """All callers of one environment. Looks are made once, when first needed; make a new object to look again."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.target = doors.target
        self.configured = doors.target.settings.azure.callers
        self.graph = doors.azure.graph
        self.store = CallerStore(doors.aws)
        self.now = datetime.now(UTC)

    # -- looks ------------------------------------------------------------------------------------
    @cached_property
    def api(self) -> Body:
        return site.need_application(self.doors)

    @cached_property
    def api_principal(self) -> str:
        found = self.graph.principal(str(self.api["appId"]))
        if found is None:
            raise StepError(
                "the API's application has no service principal", remedy="run: genai azure --only application", id="azure.no_application"
            )
        return str(found["id"])

    @cached_property
    def role(self) -> str:
        return role_id(site.api_name(self.target), APP_ROLE)

    @cached_property
    def assigned(self) -> dict[str, str]:
        """Principal to assignment, for the role the policy accepts."""
        found = self.graph.assignments(self.api_principal)
        return {str(entry["principalId"]): str(entry["id"]) for entry in found if entry["appRoleId"] == self.role}

    @cached_property
    def applications(self) -> dict[str, Body]:
        """Our callers' applications by caller."""
        prefix = site.caller_prefix(self.target)
        return {str(entry["uniqueName"]).removeprefix(prefix): entry for entry in self.graph.applications(prefix)}

    @cached_property
    def kept(self) -> dict[str, Kept]:
        return self.store.read()

    @cached_property
    def vault(self) -> Vault:
        return site.need_vault(self.doors)

    @cached_property
    def secrets(self) -> dict[str, Stored]:
        return {entry.name: entry for entry in self.doors.azure.vaults.secrets(self.vault) if entry.name.startswith("litellm-")}

    @cached_property
    def litellm(self) -> KeyAdmin:
        return self.doors.litellm_admin()

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
        for name in ("api_principal", "assigned", "applications", "kept", "secrets", "users", "keys"):
            getattr(self, name)

    # -- what is known of one caller -----------------------------------------------------------------
    def client_id(self, name: str) -> str | None:
        """A caller's application id; None while it has none."""
        wanted = self.configured.get(name)
        if wanted and wanted.client_id:
            return wanted.client_id
        found = self.applications.get(name)
        return str(found["appId"]).lower() if found else None

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

    def limits(self, caller: Caller) -> Limits:
        """What a caller's key may do. No models named: all that are configured."""
        models = caller.models or tuple(model.name for model in self.target.settings.litellm.models)
        routes = tuple(template for _, template in site.routes(self.target))
        return Limits(models, routes, caller.rpm_limit, caller.tpm_limit)

    def faults(self, name: str) -> list[str]:
        """What a configured caller lacks; empty for a complete or a revoked one."""
        caller, client = self.configured[name], self.client_id(name)
        if client is None:
            return ["has no application"]
        if self.revoked(name):
            return []
        found = []
        if caller.client_id is None:
            held = {str(entry["keyId"]) for entry in self.applications[name].get("passwordCredentials") or ()}
            if not self._good(self.kept.get(name), held):
                found.append("has no client secret")
            elif held - {one.key_id for one in self.kept[name].passwords}:
                found.append("has a client secret that nobody knows")
        principal = self._principal(client)
        if principal is None or principal not in self.assigned:
            found.append("does not hold the role")
        user = self.users.get(client)
        if user is None or (user.budget, user.duration) != (caller.max_budget, caller.budget_duration):
            found.append("has no user in LiteLLM" if user is None else "has another budget")
        key = self.current(client)
        if key is None:
            found.append("has no key")
        elif not self.limits(caller).same(key) or not same_moment(key.expires, expiry(caller)):
            found.append("has a key with other limits")
        if self._stale(client, key):
            found.append("has a key that nobody stored")
        return found

    def orphans(self) -> list[str]:
        """Callers that exist and are configured no longer. Existing applications are known by their stored key."""
        known = set(self.configured)
        by_secret = {str(entry.tags.get("caller")) for entry in self.secrets.values() if entry.tags.get("caller")}
        return sorted((set(self.applications) | set(self.kept) | by_secret) - known - {"None"})

    def _good(self, kept: Kept | None, held: set[str]) -> bool:
        soon = self.now + timedelta(days=RENEW_DAYS)
        return kept is not None and any(one.key_id in held and one.expires > soon and not one.remove_after for one in kept.passwords)

    def _principal(self, client: str) -> str | None:
        cached = self._principals.get(client)
        if cached is None:
            found = self.graph.principal(client)
            cached = self._principals[client] = str(found["id"]) if found else ""
        return cached or None

    @cached_property
    def _principals(self) -> dict[str, str]:
        prefix = site.caller_prefix(self.target)
        return {str(entry["appId"]).lower(): str(entry["id"]) for entry in self.graph.principals(prefix)}

    def _stale(self, client: str, current: VirtualKey | None) -> list[VirtualKey]:
        """Keys besides the current one that do not end by themselves."""
        return [key for key in self.keys.get(client, ()) if key is not current and (key.expires is None or not _ending(key, self.now))]

    # -- listing ------------------------------------------------------------------------------------
    def listed(self) -> list[Key]:
        """Every configured caller as a person may see it."""
        return [self._shown(name) for name in sorted(self.configured)]

    def _shown(self, name: str) -> Key:
        caller, client = self.configured[name], self.client_id(name)
        held = self.stored(client)
        user = self.users.get(client) if client else None
        key = self.current(client) if client else None
        if self.revoked(name):
            state: KeyState = "revoked"
        elif key is not None:
            state = "active"
        elif held and held.expires and held.expires <= self.now:
            state = "expired"
        else:
            state = "missing"
        end = (key.expires if key else held.expires if held else None) or None
        return Key(
            caller=name,
            client_id=client,
            state=state,
            alias=key.alias if key else held.tags.get("alias") if held else None,
            expires=end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if end else None,
            spend=user.spend if user else None,
            budget=user.budget if user else caller.max_budget,
            models=self.limits(caller).models,
        )

    # -- making one complete ---------------------------------------------------------------------------
    def ensure_all(self, names: Sequence[str], progress: Progress, *, reinstate: bool = False, named: bool = False) -> str:
        """Make these callers complete, several at a time."""
        self.look()
        chosen = []
        for name in names:
            if self.revoked(name) and not reinstate:
                if named:
                    raise StepError(
                        f"the caller '{name}' was revoked", remedy=f"to undo that: genai keys issue {name} --reinstate", id="keys.revoked"
                    )
                continue
            chosen.append(name)
        _ = self._principals
        self.parallel(chosen, lambda name: self.ensure(name, reinstate=reinstate), progress, "callers")
        left = len(names) - len(chosen)
        return f"{len(chosen)} caller{'' if len(chosen) == 1 else 's'} complete" + (f", {left} revoked and left alone" if left else "")

    def ensure(self, name: str, *, reinstate: bool = False) -> None:
        """Make one caller complete."""
        caller = self.configured[name]
        identity = self._existing(name, caller) if caller.client_id else self._application(name)
        if identity.object_id is not None:
            self._password(name, identity)
        if identity.principal not in self.assigned:
            self.graph.assign(self.api_principal, identity.principal, self.role)
        self._user(name, caller, identity.client_id)
        self._key(name, caller, identity.client_id, reinstate=reinstate)

    def _existing(self, name: str, caller: Caller) -> Identity:
        client = str(caller.client_id)
        found = self.graph.principal(client)
        if found is None:
            raise MissingError(
                f"azure.callers.{name}.client_id: the tenant has no service principal of {client}",
                remedy=f"az ad sp create --id {client}, or correct the client_id",
                id="azure.no_client",
            )
        return Identity(client, None, str(found["id"]), frozenset())

    def _application(self, name: str) -> Identity:
        found = self.applications.get(name)
        if found is None:
            unique = f"{site.caller_prefix(self.target)}{name}"
            revive(self.graph, unique, _Silent()) if unique in self._deleted else None
            found = self.graph.ensure_application(unique, {"signInAudience": "AzureADMyOrg", "api": {"requestedAccessTokenVersion": 2}})
        client = str(found["appId"]).lower()
        principal = self._principals.get(client) or str(self.graph.ensure_principal(client)["id"])
        passwords = frozenset(str(entry["keyId"]) for entry in found.get("passwordCredentials") or ())
        return Identity(client, str(found["id"]), principal, passwords)

    @cached_property
    def _deleted(self) -> frozenset[str]:
        entries = self.graph.deleted(site.caller_prefix(self.target))
        return frozenset(str(entry.get("uniqueName") or entry.get("displayName")) for entry in entries)

    def _password(self, name: str, identity: Identity) -> None:
        """A client secret whose value is kept; what nobody knows, or is past its overlap, goes."""
        kept = self.kept.get(name)
        if kept is None or kept.client_id != identity.client_id:
            kept = Kept(identity.client_id)
        over = {one.key_id for one in kept.passwords if one.remove_after and one.remove_after <= self.now}
        known = {one.key_id for one in kept.passwords} - over
        for key_id in identity.password_ids - known:
            self.graph.remove_password(str(identity.object_id), key_id)
        passwords = tuple(one for one in kept.passwords if one.key_id in identity.password_ids & known)
        fresh = Kept(identity.client_id, passwords)
        if not self._good(fresh, set(identity.password_ids)):
            fresh = Kept(identity.client_id, (*passwords, self.new_password(name, str(identity.object_id))))
        if fresh != self.kept.get(name):
            self.store.put(name, fresh)

    def new_password(self, name: str, object_id: str) -> Password:
        """A new client secret in the directory; the caller of this keeps it."""
        until = (self.now + timedelta(days=PASSWORD_DAYS)).replace(microsecond=0)
        key_id, value = self.graph.add_password(object_id, f"genai {name}", until)
        return Password(key_id, value, until)

    def _user(self, name: str, caller: Caller, client: str) -> None:
        user = self.users.get(client)
        if user is None:
            self.litellm.create_user(client, name, caller.max_budget, caller.budget_duration)
        elif (user.budget, user.duration) != (caller.max_budget, caller.budget_duration):
            self.litellm.update_user(client, caller.max_budget, caller.budget_duration)

    def _key(self, name: str, caller: Caller, client: str, *, reinstate: bool) -> None:
        current = None if reinstate and self.revoked(name) else self.current(client)
        held = self.stored(client)
        number = _number(held.tags.get("alias", "")) if held else 0
        # A key newer than the stored one was never stored: its value is lost, nobody can use it.
        lost = [key for key in self.keys.get(client, ()) if _number(key.alias) > number or (key is not current and key.blocked)]
        self.litellm.forget([key.hash for key in lost])
        old = [key for key in self._stale(client, current) if key not in lost]
        if current is None or not same_moment(current.expires, expiry(caller)):
            self.issue(name, caller, client)
        elif not self.limits(caller).same(current):
            self.litellm.change(current.hash, **self.limits(caller).body())
        for key in old:
            self.litellm.expire(key.hash, OVERLAP)

    def issue(self, name: str, caller: Caller, client: str) -> str:
        """A new key, stored in the vault at once; its alias. A key that could not be stored is deleted."""
        held, end = self.stored(client), expiry(caller)
        numbers = [_number(key.alias) for key in self.keys.get(client, ())]
        number = max([_number(held.tags.get("alias", "")) if held else 0, *numbers], default=0) + 1
        alias = f"{client}.{number}"
        seconds = int((end - datetime.now(UTC)).total_seconds()) if end else None
        if seconds is not None and seconds <= 0:
            raise StepError(f"azure.callers.{name}.expires lies in the past", remedy="set a later date", id="config.expires_past")
        value, hash = self.litellm.generate(alias, client, name, self.limits(caller), seconds)
        try:
            self._store(name, client, value, alias, hash, end)
        except GenaiError:
            self.litellm.forget([hash])
            raise
        return alias

    def _store(self, name: str, client: str, value: SecretStr, alias: str, hash: str, end: datetime | None) -> None:
        tags = {**self.target.tags, "caller": name, "alias": alias, "token": hash[:16]}
        self.doors.azure.vaults.put(self.vault, secret_name(client), value, tags, end)

    # -- removing ---------------------------------------------------------------------------------------
    def remove(self, names: Sequence[str], progress: Progress, *, litellm: bool = True) -> str:
        """Remove callers altogether: key, user, stored secret, role, application, client secret."""
        clients = {name: self._any_client(name) for name in names}
        known = [client for client in clients.values() if client]
        if litellm and known:
            self.litellm.forget([key.hash for client in known for key in self.keys.get(client, ())])
            there = [client for client in known if client in self.users]
            for start in range(0, len(there), 100):
                progress.check()
                self.litellm.delete_users(there[start : start + 100])

        def one(name: str) -> None:
            client = clients[name]
            if client and secret_name(client) in self.secrets:
                self.doors.azure.vaults.remove(self.vault, secret_name(client))
            principal = self._principal(client) if client else None
            if principal in self.assigned:
                self.graph.unassign(self.api_principal, self.assigned[str(principal)])
            if name in self.applications:
                self.graph.delete_application(str(self.applications[name]["id"]))

        self.parallel(list(names), one, progress, "removing callers")
        self.store.forget(names)
        return f"removed {len(names)} caller{'' if len(names) == 1 else 's'}"

    def _any_client(self, name: str) -> str | None:
        found = self.client_id(name)
        if found:
            return found
        held = next((entry for entry in self.secrets.values() if entry.tags.get("caller") == name), None)
        return held.name.removeprefix("litellm-") if held else None

    # -- several at a time ---------------------------------------------------------------------------------
    def parallel(self, names: Sequence[str], work: Callable[[str], Any], progress: Progress, what: str) -> None:
        """Work on several callers at a time. The first error stops new ones, and is raised when the running ones ended."""
        waiting, running, done = list(names), dict[Future[Any], str](), 0
        failed: tuple[str, BaseException] | None = None
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="callers") as pool:
            try:
                while (waiting and failed is None) or running:
                    while waiting and failed is None and len(running) < AT_ONCE:
                        name = waiting.pop(0)
                        running[pool.submit(work, name)] = name
                    ended, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                    for future in ended:
                        name, done = running.pop(future), done + 1
                        error = future.exception()
                        failed = failed or ((name, error) if error else None)
                    progress.check()
                    if len(names) > 1:
                        progress.say(f"{what}: {done}/{len(names)}")
            finally:
                for future in running:
                    future.cancel()
        if failed:
            name, error = failed
            if isinstance(error, GenaiError):
                raise type(error)(f"caller '{name}': {error.message}", remedy=error.remedy, id=error.id) from None
            raise error


def same_moment(left: datetime | None, right: datetime | None) -> bool:
    """Whether two expiries are the same, but for the seconds that asking takes."""
    if left is None or right is None:
        return left is right
    return abs((left - right).total_seconds()) <= 180


def _number(alias: str) -> int:
    number = alias.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _ending(key: VirtualKey, now: datetime) -> bool:
    """Whether a replaced key ends within its overlap."""
    return key.expires is not None and key.expires <= now + timedelta(seconds=OVERLAP + 60)


class _Silent:
    def say(self, text: str) -> None:
        return

    def check(self) -> None:
        return
