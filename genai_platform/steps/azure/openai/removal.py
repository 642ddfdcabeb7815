"""Removing an account of Azure OpenAI that this environment made: its deployments first, then the account, then its name and quota."""

from __future__ import annotations

from genai_platform.engine.step import Progress
from genai_platform.errors import WaitTimeout
from genai_platform.steps.azure import rights
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.azure.openai.waits import INTERVAL, LIMIT, accepted
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import Account, DeletedAccount
from genai_platform.tools.wait import wait_for, wait_while

_TOMBSTONE = 180.0
"""Seconds until a deleted account shows among the soft-deleted ones."""


def remove(clients: Clients, found: Account, progress: Progress) -> str:
    """Delete an account with its deployments and purge it where that is allowed. One line of evidence."""
    cognitive = clients.azure.cognitive
    for one in cognitive.deployments(found.group, found.name):
        progress.say(f"removing the deployment {one.name}")
        accepted(lambda one=one: cognitive.remove(found.group, found.name, one.name), progress)  # type: ignore[misc]
    progress.say(f"deleting the account {found.name}")
    accepted(lambda: cognitive.delete(found.group, found.name), progress)
    wait_while(lambda: cognitive.account(found.group, found.name), progress, lambda _: f"deleting {found.name}", LIMIT, INTERVAL)
    if not rights.may_purge(clients, "Azure OpenAI accounts"):
        return f"removed {found.name}; its name is retained for 48 hours (no right to purge)"
    try:
        shown = lambda: next(iter(accounts.deleted(clients, found.name)), None)  # noqa: E731
        gone = wait_for(shown, progress, lambda: f"{found.name}: deleted", _TOMBSTONE, INTERVAL)
    except WaitTimeout:
        return f"removed {found.name}; Azure does not show it among the deleted accounts yet"
    return purge(clients, gone, progress)


def purge(clients: Clients, gone: DeletedAccount, progress: Progress) -> str:
    """Purge a deleted account. One line of evidence."""
    progress.say(f"purging {gone.name}")
    clients.azure.cognitive.purge(gone)
    wait_while(lambda: accounts.deleted(clients, gone.name), progress, lambda _: f"purging {gone.name}", LIMIT, INTERVAL)
    return f"removed and purged {gone.name}"
