"""The virtual keys as they were at one moment: what Key Vault stores of them, LiteLLM's users and keys. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from genai_platform.advice import advice, genai, run_genai
from genai_platform.config.settings import Caller
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.errors import Forbidden, GenaiError, NeverBuilt, Unreachable
from genai_platform.render import gateway
from genai_platform.render.policy import CACHE_SECONDS
from genai_platform.steps.azure import lookup
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.vaults import Stored, Vault
from genai_platform.tools.litellm.keys import KeyAdmin, Limits, User, VirtualKey
from genai_platform.tools.parallel import answer, begin

T = TypeVar("T")
OVERLAP = CACHE_SECONDS + 60
"""Seconds a replaced key goes on working: longer than the gateway keeps one."""
PREFIX = "litellm-"
QUICK = 5.0
"""Seconds to wait for LiteLLM at a glance."""
_SEE_LITELLM = advice("see: {}", genai("logs litellm"))


def secret_name(client_id: str) -> str:
    """The vault's name for a caller's key; the policy builds the same."""
    return f"{PREFIX}{client_id.lower()}"


@dataclass(frozen=True)
class Unseen:
    """What could not be looked at, and why. ``NeverBuilt``: because it does not exist."""

    error: GenaiError


def seen(found: T | Unseen) -> T:
    """What was seen. Raises the error with which the look ended, where it could not be."""
    if isinstance(found, Unseen):
        raise found.error
    return found


@dataclass(frozen=True)
class StoredKeys:
    """The vault, and what it holds for callers by the secret's name."""

    vault: Vault
    secrets: Mapping[str, Stored]


@dataclass(frozen=True)
class IssuedKeys:
    """LiteLLM, its users by client id, and its virtual keys by client id: those whose alias says so."""

    admin: KeyAdmin
    users: Mapping[str, User]
    keys: Mapping[str, list[VirtualKey]]


@dataclass(frozen=True)
class Keys:
    """A snapshot of all virtual keys. What is asked of a part that could not be seen raises that part's error."""

    clients: Clients
    now: datetime
    stored_keys: StoredKeys | Unseen
    issued_keys: IssuedKeys | Unseen

    @property
    def target(self) -> Target:
        return self.clients.target

    @property
    def vault(self) -> Vault:
        return seen(self.stored_keys).vault

    @property
    def litellm(self) -> KeyAdmin:
        return seen(self.issued_keys).admin

    @property
    def users(self) -> Mapping[str, User]:
        return seen(self.issued_keys).users

    @property
    def keys(self) -> Mapping[str, list[VirtualKey]]:
        return seen(self.issued_keys).keys

    def need(self) -> None:
        """Raise the error of what could not be seen: before anything is changed."""
        seen(self.stored_keys)
        seen(self.issued_keys)

    def stored(self, client_id: str | None) -> Stored | None:
        """What the vault holds of a caller's key."""
        return seen(self.stored_keys).secrets.get(secret_name(client_id)) if client_id else None

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
        """Keys other than the current one that do not end within the overlap by themselves."""
        soon = self.now + timedelta(seconds=OVERLAP + 60)
        return [key for key in self.keys.get(client, ()) if key is not current and (key.expires is None or key.expires > soon)]

    def own_key(self, client: str) -> bool:
        """Whether anything of a key of its own is there for a caller."""
        return bool(self.stored(client) or self.keys.get(client) or client in self.users)

    def limits(self, caller: Caller) -> Limits:
        """What a caller's key may do. No models named: all that are configured."""
        models = caller.models or self.target.settings.litellm.names
        routes = tuple(template for _, template in gateway.routes(self.target.settings))
        return Limits(models, routes, caller.rpm_limit, caller.tpm_limit)


def observe_keys(clients: Clients, within: float | None = None) -> Keys:
    """Look at the vault and at LiteLLM. ``within`` as in ``issued_keys``."""
    return Keys(clients, datetime.now(UTC), stored_keys(clients), issued_keys(clients, within))


def stored_keys(clients: Clients) -> StoredKeys | Unseen:
    """What the vault holds for callers; unseen while there is no vault, or without the right to look."""
    try:
        vault = lookup.need_vault(clients)
        found = clients.azure.vaults.secrets(vault)
    except NeverBuilt as error:
        return Unseen(error)
    except Forbidden as error:
        return Unseen(error.said(remedy=advice("run: {} (it gives you the right)", genai("azure --only access"))))
    return StoredKeys(vault, {entry.name: entry for entry in found if entry.name.startswith(PREFIX) and "caller" in entry.tags})


def issued_keys(clients: Clients, within: float | None = None) -> IssuedKeys | Unseen:
    """LiteLLM's users and keys; unseen while it does not exist or does not answer.

    Args:
        within: seconds to wait for it, in a look that is to be quick: it is not asked while none of its pods is ready.
            None: as long as its client is patient.
    """
    try:
        if not clients.kube.exists():
            return Unseen(NeverBuilt("LiteLLM is not there: its keys are missing", remedy=run_genai("up"), id="litellm.absent"))
        if within is None:
            return _issued(clients)
        proxy = clients.kube.get("apps/v1", "Deployment", "litellm", NAMESPACE) or {}
        if not (proxy.get("status") or {}).get("readyReplicas"):
            raise Unreachable("LiteLLM's keys cannot be seen: none of its pods is ready", remedy=_SEE_LITELLM, id="litellm.not_ready")
        return answer(begin(lambda: _issued(clients), "keys"), within, "LiteLLM's keys cannot be seen")
    except GenaiError as error:
        return Unseen(error)


def _issued(clients: Clients) -> IssuedKeys:
    admin = clients.litellm_admin()
    found: dict[str, list[VirtualKey]] = {}
    for key in admin.virtual_keys():
        client, dot, number = key.alias.rpartition(".")
        if dot and number.isdigit():
            found.setdefault(client, []).append(key)
    return IssuedKeys(admin, admin.users(), found)


def same_moment(left: datetime | None, right: datetime | None) -> bool:
    """Whether two expiries are the same, but for the seconds that asking takes."""
    if left is None or right is None:
        return left is right
    return abs((left - right).total_seconds()) <= 180
