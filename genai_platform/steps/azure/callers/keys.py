"""What ``genai keys`` does: issue, list, rotate and revoke the keys of the configured callers; and how a caller signs in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from genai_platform.advice import run_genai
from genai_platform.engine.step import Progress, Silent
from genai_platform.errors import ConfigError, StepError, WaitTimeout
from genai_platform.steps.azure import entra_applications, shared_key
from genai_platform.steps.azure.callers import client_secrets
from genai_platform.steps.azure.callers.caller import Key, KeyState, Revocation, Rotation, SecretRotation, signing_in
from genai_platform.steps.azure.callers.ensure import ensure_all, revoked
from genai_platform.steps.azure.callers.observed import Callers, observe, observe_api
from genai_platform.steps.azure.callers.observed_keys import secret_name, seen
from genai_platform.steps.azure.callers.virtual_key import issue as issue_key
from genai_platform.steps.azure.callers.virtual_key import overlap, store
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.caller_secrets import CallerSecrets, StoredCaller
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.azure.token import Client
from genai_platform.tools.wait import wait_for

_SILENT = Silent()
_LISTED = 60.0
"""Seconds; role assignments show in the directory's list 30 to 60 s after they were given."""


def known(clients: Clients, name: str) -> None:
    """Raise ``ConfigError`` unless the configuration has this caller."""
    callers = clients.target.settings.azure.callers
    if name not in callers:
        raise ConfigError(
            f"there is no caller '{name}'; configured are: {', '.join(sorted(callers)) or 'none'}",
            remedy=f"add [azure.callers.{name}] to genai.toml",
            id="keys.unknown_caller",
        )


def issue(clients: Clients, names: Sequence[str] = (), *, reinstate: bool = False, progress: Progress = _SILENT) -> list[Key]:
    """Make sure that these callers (none named: all) have identity, key and stored secret.

    Args:
        reinstate: undo a revocation. Without it a revoked caller is left alone (named ones: ``StepError``).
    """
    for name in names:
        known(clients, name)
    wanted = tuple(names) or tuple(clients.target.settings.azure.callers)
    ensure_all(observe(clients), wanted, progress, reinstate=reinstate, named=bool(names))
    return [key for key in listed(clients) if not names or key.caller in names]


def listed(clients: Clients) -> list[Key]:
    """Every configured caller, in the order of their names, and what the world knows of its key."""
    work = observe(clients)
    return [_shown(work, name) for name in sorted(work.configured)]


def _shown(work: Callers, name: str) -> Key:
    caller, client = work.configured[name], work.client_id(name)
    models = work.limits(caller).models
    if work.shared:
        holds = client is not None and work.principal(client) in work.assigned
        state: KeyState = "revoked" if work.revoked(name) else "active" if holds else "missing"
        return Key(caller=name, client_id=client, state=state, models=models)
    held = work.stored(client)
    user = work.users.get(client) if client else None
    key = work.current(client) if client else None
    if work.revoked(name):
        state = "revoked"
    elif key is not None:
        state = "active"
    elif held and held.expires and held.expires <= work.now:
        state = "expired"
    else:
        state = "missing"
    end = key.expires if key else held.expires if held else None
    return Key(
        caller=name,
        client_id=client,
        state=state,
        alias=key.alias if key else held.tags.get("alias") if held else None,
        expires=end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if end else None,
        spend=user.spend if user else None,
        budget=user.budget if user else caller.max_budget,
        models=models,
    )


def show(clients: Clients, name: str) -> Key:
    """One caller's key."""
    known(clients, name)
    return next(key for key in listed(clients) if key.caller == name)


def rotate(clients: Clients, name: str, *, progress: Progress = _SILENT) -> Rotation:
    """Give a caller a new key. The old one works until no gateway can still have it; spend and budget stay.

    In shared mode the key is everybody's, and so is the new one.
    """
    known(clients, name)
    if clients.target.settings.azure.apim.keys == "shared":
        old_alias, seconds = shared_key.rotate(clients, progress)
        return Rotation(show(clients, name), old_alias, seconds)
    work = observe(clients)
    work.need()
    client_id = _client_id(work, name)
    if work.revoked(name):
        raise revoked(name)
    old = work.current(client_id)
    if old is None:
        raise StepError(f"the caller '{name}' has no key to rotate", remedy=run_genai(f"keys issue {name}"), id="keys.missing")
    progress.say(f"issuing a new key for {name}")
    alias = issue_key(work, name, work.configured[name], client_id, progress)
    # After the new one is stored: until then the old one must not end.
    seconds = overlap(old)
    work.litellm.expire(old.hash, seconds)
    return Rotation(dataclasses.replace(show(clients, name), alias=alias), old.alias, seconds)


def rotate_secret(clients: Clients, name: str, *, overlap_hours: float = 24, progress: Progress = _SILENT) -> SecretRotation:
    """Give a caller's application a new client secret; the old ones are removed by the first rotation or ``up`` after the overlap."""
    known(clients, name)
    if client_id := clients.target.settings.azure.callers[name].client_id:
        raise StepError(
            f"the application of '{name}' existed before: its client secrets do not belong to this environment",
            remedy=f"az ad app credential reset --id {client_id} --append",
            id="keys.foreign_application",
        )
    application = _application(clients, name)
    until = (datetime.now(UTC) + timedelta(hours=overlap_hours)).replace(microsecond=0)
    store, client_id = CallerSecrets(clients.aws), str(application["appId"]).lower()
    kept = client_secrets.without_old(clients.azure.graph, store.read().get(name) or StoredCaller(client_id), application)
    progress.say(f"making a client secret for {name}")
    fresh = client_secrets.new_password(clients.azure.graph, name, application)
    old = tuple(one if one.remove_after else dataclasses.replace(one, remove_after=until) for one in kept.passwords)
    store.put(name, StoredCaller(client_id, (*old, fresh)))
    return SecretRotation(name, client_id, fresh.expires.isoformat(), until.isoformat() if old else None)


def revoke(clients: Clients, name: str, *, progress: Progress = _SILENT) -> Revocation:
    """Close both entrances to a caller: block its keys, disable the stored secret, remove the role assignment."""
    known(clients, name)
    work = observe(clients)
    work.need()
    client_id = _client_id(work, name)
    # First: a run that is interrupted after this leaves a caller that `up` knows to be revoked.
    closed = [_disable(work, name, client_id, progress)]
    if not work.shared:
        open_keys = [key for key in work.keys.get(client_id, ()) if not key.blocked]
        for key in open_keys:
            progress.say(f"blocking {key.alias}")
            work.litellm.block_key(key.hash)
        closed.append(f"{len(open_keys)} key{'' if len(open_keys) == 1 else 's'} blocked in LiteLLM")
    assignment = _assignment(work, name, client_id, progress)
    if assignment:
        work.graph.unassign(work.api_principal, assignment)
        closed.append("role assignment removed")
    if work.shared:
        closed.append("tokens issued before work until they end: about an hour")
    return Revocation(show(clients, name), tuple(closed))


def _assignment(work: Callers, name: str, client_id: str, progress: Progress) -> str | None:
    """The caller's role assignment; None when it holds none. The directory lists one that was given a moment ago after a while."""
    principal = work.principal(client_id)
    found = work.assigned.get(principal or "")
    if found or principal is None or _revoked_before(work, client_id):
        return found

    def listed() -> str | None:
        return seen(observe_api(work.clients)).assigned.get(principal)

    try:
        return wait_for(listed, progress, lambda: f"waiting for the role assignment of {name}", _LISTED, 2)
    except WaitTimeout:
        return None


def _revoked_before(work: Callers, client_id: str) -> bool:
    """Whether a revocation so long ago was begun that what was given before it is listed by now."""
    held = work.stored(client_id)
    stamp = held.tags.get("revoked") if held else None
    return stamp is not None and work.now - datetime.fromisoformat(stamp) > timedelta(seconds=_LISTED)


def _disable(work: Callers, name: str, client_id: str, progress: Progress) -> str:
    """Disable what the vault holds, and write down there that the caller was revoked: ``up`` then leaves it alone."""
    held, secret = work.stored(client_id), secret_name(client_id)
    if held is None:  # nothing to disable, but the revocation must outlast the next `up`
        tags = {**work.target.tags, "caller": name}
        store(work.clients.azure.vaults, work.vault, secret, SecretStr("revoked"), tags, None, progress)
    else:
        tags = dict(held.tags)
    stamp = tags.get("revoked") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    work.clients.azure.vaults.mark(work.vault, secret, enabled=False, tags={**tags, "revoked": stamp})
    return f"{secret} disabled in the vault"


def client(clients: Clients, name: str) -> Client:
    """How this caller signs in, with its newest client secret: for ``token``, ``chat`` and ``azure env``."""
    known(clients, name)
    existing = clients.target.settings.azure.callers[name].client_id
    found = existing or str(_application(clients, name)["appId"]).lower()
    kept = None if existing else CallerSecrets(clients.aws).read().get(name)
    return signing_in(clients, name, found, kept.passwords[-1].value if kept and kept.passwords else None)


def _client_id(work: Callers, name: str) -> str:
    found = work.client_id(name)
    if found is None:
        raise _missing(name)
    return found


def _application(clients: Clients, name: str) -> Body:
    """The application that this environment made for a caller."""
    found = entra_applications.application(clients, f"{entra_applications.caller_prefix(clients.target)}{name}")
    if found is None:
        raise _missing(name)
    return found


def _missing(name: str) -> StepError:
    return StepError(f"the caller '{name}' has no identity yet", remedy=run_genai(f"keys issue {name}"), id="keys.missing")
