"""Makes callers complete: identity, client secret, role, user, key, stored secret.

Each part is made so that being killed after it leaves something the next run recognises: nothing is made twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from genai_platform.advice import advice, genai
from genai_platform.engine.step import Progress
from genai_platform.errors import MissingError, StepError
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.application import revive
from genai_platform.steps.azure.callers import client_secrets
from genai_platform.steps.azure.callers.observed import Callers, applications
from genai_platform.steps.azure.callers.virtual_key import ensure_key, ensure_user, forget_key
from genai_platform.tools import parallel
from genai_platform.tools.aws.caller_secrets import StoredCaller
from genai_platform.tools.azure.rest import Body


def ensure_all(work: Callers, names: Sequence[str], progress: Progress, *, reinstate: bool = False, named: bool = False) -> str:
    """Make these callers complete, several at a time.

    Args:
        reinstate: undo a revocation.
        named: a person named them; a revoked one is then an error, else it is left alone.
    """
    work.need()
    chosen = [name for name in names if reinstate or not work.revoked(name)]
    if named and (left := [name for name in names if name not in chosen]):
        raise revoked(left[0])
    prefix = entra_applications.caller_prefix(work.target)
    blocked = frozenset(str(entry.get("uniqueName") or entry.get("displayName")) for entry in work.graph.deleted(prefix))
    gone = [name for name in chosen if f"{prefix}{name}" in blocked and name not in work.applications]
    for name in gone:
        revive(work.clients, f"{prefix}{name}", progress)
    if gone:  # a restored one is there again
        work = dataclasses.replace(work, applications=applications(work.clients))
    parallel.each(chosen, lambda name: ensure(work, name, progress, reinstate=reinstate), str, progress, "callers")
    more = f", {len(names) - len(chosen)} revoked and left alone" if len(chosen) < len(names) else ""
    return f"{len(chosen)} caller{'' if len(chosen) == 1 else 's'} complete{more}"


def revoked(name: str) -> StepError:
    """The error for a caller that somebody revoked."""
    remedy = advice("to undo that: {}", genai(f"keys issue {name} --reinstate"))
    return StepError(f"the caller '{name}' was revoked", remedy=remedy, id="keys.revoked")


def ensure(work: Callers, name: str, progress: Progress, *, reinstate: bool = False) -> None:
    """Make one caller complete."""
    caller = work.configured[name]
    if caller.client_id:  # an application that existed before: its client secrets are not this environment's to change
        client, principal = caller.client_id, _existing(work, name, caller.client_id)
    else:
        application = _application(work, name)
        client = str(application["appId"]).lower()
        principal = work.principal(client) or str(work.graph.ensure_principal(client)["id"])
        _password(work, name, application)
    if not work.shared:
        ensure_user(work, name, caller, client)
        ensure_key(work, name, caller, client, progress, afresh=reinstate and work.revoked(name))
    elif work.own_key(client):
        forget_key(work, client)
    # Last: a caller that holds the role and has no key yet would be told that it has none.
    if principal not in work.assigned:
        work.graph.assign(work.api_principal, principal, work.role, progress.check)


def _existing(work: Callers, name: str, client: str) -> str:
    found = work.principal(client)
    if found is None:
        raise MissingError(
            f"azure.callers.{name}.client_id: the tenant has no service principal of {client}",
            remedy=f"az ad sp create --id {client}, or correct the client_id",
            id="azure.no_client",
        )
    return found


def _application(work: Callers, name: str) -> Body:
    unique = f"{entra_applications.caller_prefix(work.target)}{name}"
    body = {"signInAudience": "AzureADMyOrg", "api": {"requestedAccessTokenVersion": 2}}
    return work.applications.get(name) or entra_applications.ensure(work.clients, unique, body)


def _password(work: Callers, name: str, application: Body) -> None:
    """A client secret whose value is kept; what nobody knows, or is past its overlap, goes."""
    kept, client = work.kept.get(name), str(application["appId"]).lower()
    if kept is None or kept.client_id != client:
        kept = StoredCaller(client)
    fresh = client_secrets.without_old(work.graph, kept, application)
    if not client_secrets.lasting(fresh, client_secrets.held(application)):
        fresh = StoredCaller(client, (*fresh.passwords, client_secrets.new_password(work.graph, name, application)))
    if fresh != work.kept.get(name):
        work.store.put(name, fresh)
