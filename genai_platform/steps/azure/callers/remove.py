"""Removes callers altogether: key, user, stored secret, role, client secret, and the application if it was ours."""

from __future__ import annotations

from collections.abc import Sequence

from genai_platform.engine.step import Progress
from genai_platform.steps.azure.application import erase
from genai_platform.steps.azure.callers.observed import Callers, secret_name
from genai_platform.steps.azure.callers.unconfigured import Unconfigured
from genai_platform.tools import parallel

_BATCH = 100


def remove(work: Callers, gone: Sequence[Unconfigured], progress: Progress, *, litellm: bool = True) -> str:
    """Remove these identities.

    Args:
        litellm: False where LiteLLM is gone: its keys and users went with its database.
    """
    clients = [trace.client_id for trace in gone if trace.client_id]
    if litellm:
        hashes = [key.hash for client in clients for key in work.keys.get(client, ())]
        there = [client for client in clients if client in work.users]
        for start in range(0, max(len(hashes), len(there)), _BATCH):
            progress.check()
            work.litellm.forget(hashes[start : start + _BATCH])
            work.litellm.delete_users(there[start : start + _BATCH])
    ours = {str(entry["appId"]).lower(): str(entry["id"]) for entry in work.applications.values()}

    def one(trace: Unconfigured) -> None:
        client = trace.client_id
        if client and secret_name(client) in work.secrets:
            work.clients.azure.vaults.remove(work.vault, secret_name(client))
        principal = work.principal(client) if client else trace.principal
        if principal in work.assigned:
            work.graph.unassign(work.api_principal, work.assigned[str(principal)])
        if client in ours:
            erase(work.graph, ours[str(client)])

    parallel.each(list(gone), one, lambda trace: trace.caller, progress, "removing callers")
    work.store.forget([name for name, kept in work.kept.items() if kept.client_id in clients])
    return f"removed {len(gone)} caller{'' if len(gone) == 1 else 's'}"
