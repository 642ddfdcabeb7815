"""What a person asks for one caller: another key, another client secret, an end; and how it signs in."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from genai_platform.errors import StepError
from genai_platform.graph.step import Progress
from genai_platform.steps.azure import site
from genai_platform.steps.azure.callers_work import OVERLAP, Callers, secret_name
from genai_platform.steps.azure.keys import Client, Revocation, Rotation, SecretRotation
from genai_platform.steps.doors import Doors
from genai_platform.tools.caller_store import Kept


def _client_of(work: Callers, name: str) -> str:
    found = work.client_id(name)
    if found is None:
        raise StepError(f"the caller '{name}' has no identity yet", remedy=f"run: genai keys issue {name}", id="keys.missing")
    return found


def rotate(doors: Doors, name: str, progress: Progress) -> Rotation:
    """A new key beside the old one, which ends after the gateway's cache."""
    work = Callers(doors)
    work.look()
    client = _client_of(work, name)
    if work.revoked(name):
        raise StepError(f"the caller '{name}' was revoked", remedy=f"to undo that: genai keys issue {name} --reinstate", id="keys.revoked")
    old = work.current(client)
    if old is None:
        raise StepError(f"the caller '{name}' has no key to rotate", remedy=f"run: genai keys issue {name}", id="keys.missing")
    progress.say(f"issuing a new key for {name}")
    alias = work.issue(name, work.configured[name], client)
    # After the new one is stored: until then the old one must not end.
    left = None if old.expires is None else int((old.expires - datetime.now(UTC)).total_seconds())
    overlap = OVERLAP if left is None else max(1, min(OVERLAP, left))
    work.litellm.expire(old.hash, overlap)
    key = next(entry for entry in Callers(doors).listed() if entry.caller == name)
    return Rotation(dataclasses.replace(key, alias=alias), old.alias, overlap)


def revoke(doors: Doors, name: str, progress: Progress) -> Revocation:
    """Close both entrances: the key itself, and the way to it through the vault and the directory."""
    work = Callers(doors)
    work.look()
    client = _client_of(work, name)
    closed = []
    blocked = [key for key in work.keys.get(client, ()) if not key.blocked]
    for key in blocked:
        progress.say(f"blocking {key.alias}")
        work.litellm.block_key(key.hash)
    closed.append(f"{len(blocked)} key{'' if len(blocked) == 1 else 's'} blocked in LiteLLM")
    held = work.stored(client)
    if held is not None:
        tags = {**held.tags, "revoked": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        doors.azure.vaults.mark(work.vault, secret_name(client), enabled=False, tags=tags)
        closed.append(f"{held.name} disabled in the vault")
    principal = doors.azure.graph.principal(client)
    assignment = work.assigned.get(str(principal["id"])) if principal else None
    if assignment:
        doors.azure.graph.unassign(work.api_principal, assignment)
        closed.append("role assignment removed")
    return Revocation(next(entry for entry in Callers(doors).listed() if entry.caller == name), tuple(closed))


def rotate_secret(doors: Doors, name: str, overlap_hours: float, progress: Progress) -> SecretRotation:
    """A new client secret beside the old ones, which are removed by the first change after the overlap."""
    work = Callers(doors)
    client = _client_of(work, name)
    if work.configured[name].client_id:
        raise StepError(
            f"the application of '{name}' existed before: its secrets are not ours",
            remedy=f"az ad app credential reset --id {client} --append",
            id="keys.foreign_application",
        )
    until = (datetime.now(UTC) + timedelta(hours=overlap_hours)).replace(microsecond=0)
    kept = work.kept.get(name) or Kept(client)
    progress.say(f"making a client secret for {name}")
    fresh = work.new_password(name, str(work.applications[name]["id"]))
    old = tuple(one if one.remove_after else dataclasses.replace(one, remove_after=until) for one in kept.passwords)
    work.store.put(name, Kept(client, (*old, fresh)))
    return SecretRotation(name, client, fresh.expires.isoformat(), until.isoformat() if old else None)


def client(doors: Doors, name: str) -> Client:
    """How a caller signs in, with its newest client secret."""
    work = Callers(doors)
    found = _client_of(work, name)
    kept = work.kept.get(name)
    service = site.need_service(doors)
    return Client(
        caller=name,
        tenant_id=doors.azure.tenant,
        client_id=found,
        scope=f"api://{work.api['appId']}/.default",
        authority=doors.target.endpoints.azure.authority,
        gateway_url=f"{service.gateway.rstrip('/')}/{doors.target.settings.azure.apim.path}",
        secret=kept.passwords[-1].value if kept and kept.passwords else None,
    )
