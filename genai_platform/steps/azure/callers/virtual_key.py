"""One virtual key: issued by LiteLLM, stored in the vault at once, numbered so that a lost one is recognised."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from genai_platform.config.settings import Caller
from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.steps.azure.access import NOT_YET
from genai_platform.steps.azure.callers.observed_keys import OVERLAP, Keys, same_moment, secret_name
from genai_platform.steps.azure.callers.settings import expiry
from genai_platform.tools.azure.vaults import Stored, Vault, Vaults
from genai_platform.tools.litellm.keys import VirtualKey
from genai_platform.tools.wait import wait_accepted

_PATIENCE = 300.0
"""Seconds; a role assignment is not known to every part of a vault at the same time."""


def ensure_user(work: Keys, name: str, caller: Caller, client: str) -> None:
    """The user that carries a caller's budget and spend: it is never made again while it exists."""
    user = work.users.get(client)
    if user is None:
        work.litellm.create_user(client, name, caller.max_budget, caller.budget_duration)
    elif (user.budget, user.duration) != (caller.max_budget, caller.budget_duration):
        work.litellm.update_user(client, caller.max_budget, caller.budget_duration)


def ensure_key(work: Keys, name: str, caller: Caller, client: str, progress: Progress, *, afresh: bool = False) -> None:
    """The key of a caller, with its limits and its end. ``afresh``: whatever there is was revoked and counts for nothing."""
    current = None if afresh else work.current(client)
    number = stored_number(work.stored(client))
    # A key newer than the stored one was never stored: its value is lost, nobody can use it.
    lost = [key for key in work.keys.get(client, ()) if number_of(key.alias) > number or (key is not current and key.blocked)]
    work.litellm.forget([key.hash for key in lost])
    old = [key for key in work.stale(client, current) if key not in lost]
    if current is None or not same_moment(current.expires, expiry(caller)):
        issue(work, name, caller, client, progress)
    elif not work.limits(caller).same(current):
        work.litellm.change(current.hash, **work.limits(caller).body())
    for key in old:
        work.litellm.expire(key.hash, overlap(key))


def issue(work: Keys, name: str, caller: Caller, client: str, progress: Progress) -> str:
    """A new key, stored in the vault at once; its alias. A key that could not be stored is deleted."""
    held, end = work.stored(client), expiry(caller)
    number = max([stored_number(held), *(number_of(key.alias) for key in work.keys.get(client, ()))]) + 1
    alias = f"{client}.{number}"
    seconds = int((end - datetime.now(UTC)).total_seconds()) if end else None
    if seconds is not None and seconds <= 0:
        raise StepError(f"azure.callers.{name}.expires lies in the past", remedy="set a later date", id="config.expires_past")
    value, hash = work.litellm.generate(alias, client, name, work.limits(caller), seconds)
    tags = {**work.target.tags, "caller": name, "alias": alias, "token": hash[:16]}
    try:
        store(work.clients.azure.vaults, work.vault, secret_name(client), value, tags, end, progress)
    except BaseException:
        # Interrupted included: a key whose value is lost must not stay.
        work.litellm.forget([hash])
        raise
    return alias


def forget_key(work: Keys, client: str) -> None:
    """Remove everything of a caller's own key: the keys, the user, the stored secret."""
    work.litellm.forget([key.hash for key in work.keys.get(client, ())])
    if client in work.users:
        work.litellm.delete_users([client])
    if work.stored(client):
        work.clients.azure.vaults.remove(work.vault, secret_name(client))


def store(
    vaults: Vaults, vault: Vault, name: str, value: SecretStr, tags: dict[str, str], end: datetime | None, progress: Progress
) -> None:
    """Put a secret into the vault. A right that was given, or a vault that was made, a moment ago is waited for."""

    def told(last: str) -> str:
        return f"waiting until we may write to the vault {vault.name}; last answer: {last}"

    wait_accepted(lambda: vaults.put(vault, name, value, tags, end), NOT_YET, progress, told, _PATIENCE, 3)


def overlap(key: VirtualKey) -> int:
    """Seconds a replaced key goes on working: never longer than it would have."""
    if key.expires is None:
        return OVERLAP
    return max(1, min(OVERLAP, int((key.expires - datetime.now(UTC)).total_seconds())))


def number_of(alias: str) -> int:
    """The number in ``<client id>.<n>``; 0 for another alias."""
    number = alias.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def stored_number(held: Stored | None) -> int:
    """The number of the key that the vault holds; 0 for none."""
    return number_of(held.tags.get("alias", "")) if held else 0
