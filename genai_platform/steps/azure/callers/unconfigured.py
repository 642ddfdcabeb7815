"""What in the world belongs, or belonged, to a caller; which of that belongs to none that is configured; and its removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genai_platform.engine.step import Progress
from genai_platform.steps.azure.application import erase
from genai_platform.steps.azure.callers.observed import Api, Callers
from genai_platform.steps.azure.callers.observed_keys import IssuedKeys, StoredKeys, secret_name
from genai_platform.tools import parallel

_BATCH = 100


@dataclass(frozen=True)
class Unconfigured:
    """What belongs, or belonged, to one caller."""

    caller: str
    """The name it had, or as much of one as is known."""
    client_id: str | None
    """None: only its service principal is known."""
    principal: str | None = None


def unconfigured(work: Callers) -> list[Unconfigured]:
    """Traces of those that are not a configured caller: of callers that went, and of those that have another ``client_id`` now.

    The configuration is the only list of callers: anyone else who holds the role loses it.
    """
    work.need()
    wanted = {client for name in work.configured if (client := work.client_id(name))}
    principals = {work.principal(client) for client in wanted}
    if work.shared and isinstance(work.api, Api):
        wanted.add(work.api.client_id)
    return [one for one in traces(work) if one.client_id not in wanted and (one.client_id or one.principal not in principals)]


def traces(work: Callers) -> list[Unconfigured]:
    """Everything seen in the world that belongs, or belonged, to a caller."""
    named = work.named()
    found = [Unconfigured(named[client], client) for client in sorted(named)]
    if not isinstance(work.api, Api):
        return found
    known = {work.principal(client) for client in named} | work.check_principals
    others = [principal for principal in sorted(work.api.assigned) if principal not in known]
    return found + [Unconfigured(work.api.holders[principal], None, principal) for principal in others]


def remove(work: Callers, gone: Sequence[Unconfigured], progress: Progress) -> str:
    """Remove these identities, as far as they were seen: what is Unseen stays, and goes with the vault or LiteLLM's database."""
    clients = [trace.client_id for trace in gone if trace.client_id]
    if isinstance(issued := work.issued_keys, IssuedKeys):
        hashes = [key.hash for client in clients for key in issued.keys.get(client, ())]
        there = [client for client in clients if client in issued.users]
        for start in range(0, max(len(hashes), len(there)), _BATCH):
            progress.check()
            issued.admin.forget(hashes[start : start + _BATCH])
            issued.admin.delete_users(there[start : start + _BATCH])
    ours = {str(entry["appId"]).lower(): str(entry["id"]) for entry in work.applications.values()}
    stored, api = work.stored_keys, work.api

    def one(trace: Unconfigured) -> None:
        client = trace.client_id
        if client and isinstance(stored, StoredKeys) and secret_name(client) in stored.secrets:
            work.clients.azure.vaults.remove(stored.vault, secret_name(client))
        principal = work.principal(client) if client else trace.principal
        if isinstance(api, Api) and principal in api.assigned:
            work.graph.unassign(api.principal, api.assigned[str(principal)])
        if client in ours:
            erase(work.graph, ours[str(client)])

    parallel.each(list(gone), one, lambda trace: trace.caller, progress, "removing callers")
    work.store.forget([name for name, kept in work.kept.items() if kept.client_id in clients])
    return f"removed {len(gone)} caller{'' if len(gone) == 1 else 's'}"
