"""Removes callers altogether: key, user, stored secret, role, client secret, and the application if this environment made it."""

from __future__ import annotations

from collections.abc import Sequence

from genai_platform.engine.step import Progress
from genai_platform.steps.azure.application import erase
from genai_platform.steps.azure.callers.observed import Api, Callers
from genai_platform.steps.azure.callers.observed_keys import IssuedKeys, StoredKeys, secret_name
from genai_platform.steps.azure.callers.unconfigured import Unconfigured
from genai_platform.tools import parallel

_BATCH = 100


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
