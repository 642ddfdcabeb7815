"""Makes callers complete: identity, client secret, role, user, key, stored secret.

Each part is made so that being killed after it leaves something the next run recognises: nothing is made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from genai_platform.config.settings import Caller
from genai_platform.engine.step import Progress
from genai_platform.errors import MissingError, StepError
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.application import revive
from genai_platform.steps.azure.callers.observed import Callers
from genai_platform.steps.azure.callers.virtual_key import ensure_key, ensure_user, forget_key
from genai_platform.tools import parallel
from genai_platform.tools.aws.caller_secrets import Password, StoredCaller

PASSWORD_DAYS = 180


@dataclass(frozen=True)
class Identity:
    """A caller in the directory."""

    client_id: str
    object_id: str | None
    """The application's; None for an existing application, which is not ours to change."""
    principal: str
    password_ids: frozenset[str]


def ensure_all(work: Callers, names: Sequence[str], progress: Progress, *, reinstate: bool = False, named: bool = False) -> str:
    """Make these callers complete, several at a time.

    Args:
        reinstate: undo a revocation.
        named: a person named them; a revoked one is then an error, else it is left alone.
    """
    work.look()
    chosen = []
    for name in names:
        if work.revoked(name) and not reinstate:
            if named:
                raise revoked(name)
            continue
        chosen.append(name)
    prefix = entra_applications.caller_prefix(work.target)
    blocked = frozenset(str(entry.get("uniqueName") or entry.get("displayName")) for entry in work.graph.deleted(prefix))
    for name in chosen:
        if f"{prefix}{name}" in blocked and name not in work.applications:
            revive(work.clients, f"{prefix}{name}", progress)
            work.__dict__.pop("applications", None)  # a restored one is there again
    parallel.each(chosen, lambda name: ensure(work, name, progress, reinstate=reinstate), str, progress, "callers")
    left = len(names) - len(chosen)
    return f"{len(chosen)} caller{'' if len(chosen) == 1 else 's'} complete" + (f", {left} revoked and left alone" if left else "")


def revoked(name: str) -> StepError:
    """The error for a caller that somebody revoked."""
    return StepError(f"the caller '{name}' was revoked", remedy=f"to undo that: genai keys issue {name} --reinstate", id="keys.revoked")


def ensure(work: Callers, name: str, progress: Progress, *, reinstate: bool = False) -> None:
    """Make one caller complete."""
    caller = work.configured[name]
    identity = _existing(work, name, caller) if caller.client_id else _application(work, name)
    if identity.object_id is not None:
        _password(work, name, identity)
    again = reinstate and work.revoked(name)
    if not work.shared:
        ensure_user(work, name, caller, identity.client_id)
        ensure_key(work, name, caller, identity.client_id, progress, again=again)
    elif work.own_key(identity.client_id):
        forget_key(work, identity.client_id)
    # Last: a caller that holds the role and has no key yet would be told that it has none.
    if identity.principal not in work.assigned:
        work.graph.assign(work.api_principal, identity.principal, work.role, progress.check)


def _existing(work: Callers, name: str, caller: Caller) -> Identity:
    client = str(caller.client_id)
    found = work.graph.principal(client)
    if found is None:
        raise MissingError(
            f"azure.callers.{name}.client_id: the tenant has no service principal of {client}",
            remedy=f"az ad sp create --id {client}, or correct the client_id",
            id="azure.no_client",
        )
    return Identity(client, None, str(found["id"]), frozenset())


def _application(work: Callers, name: str) -> Identity:
    found = work.applications.get(name)
    if found is None:
        unique = f"{entra_applications.caller_prefix(work.target)}{name}"
        body = {"signInAudience": "AzureADMyOrg", "api": {"requestedAccessTokenVersion": 2}}
        found = entra_applications.ensure(work.clients, unique, body)
    client = str(found["appId"]).lower()
    principal = work.principals.get(client) or str(work.graph.ensure_principal(client)["id"])
    passwords = frozenset(str(entry["keyId"]) for entry in found.get("passwordCredentials") or ())
    return Identity(client, str(found["id"]), principal, passwords)


def _password(work: Callers, name: str, identity: Identity) -> None:
    """A client secret whose value is kept; what nobody knows, or is past its overlap, goes."""
    kept = work.kept.get(name)
    if kept is None or kept.client_id != identity.client_id:
        kept = StoredCaller(identity.client_id)
    fresh = without_old(work, kept, identity)
    if not work.good_secret(fresh, set(identity.password_ids)):
        fresh = StoredCaller(identity.client_id, (*fresh.passwords, new_password(work, name, str(identity.object_id))))
    if fresh != work.kept.get(name):
        work.store.put(name, fresh)


def without_old(work: Callers, kept: StoredCaller, identity: Identity) -> StoredCaller:
    """What is kept without client secrets that nobody knows or that are past their overlap: those are removed."""
    known = {one.key_id for one in kept.passwords} - work.over(kept)
    for key_id in sorted(identity.password_ids - known):
        work.graph.remove_password(str(identity.object_id), key_id)
    return StoredCaller(identity.client_id, tuple(one for one in kept.passwords if one.key_id in identity.password_ids & known))


def new_password(work: Callers, name: str, object_id: str) -> Password:
    """A new client secret in the directory; the caller of this function keeps it."""
    until = (work.now + timedelta(days=PASSWORD_DAYS)).replace(microsecond=0)
    key_id, value = work.graph.add_password(object_id, f"genai {name}", until)
    return Password(key_id, value, until)
