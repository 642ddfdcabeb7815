"""What in the world belongs, or belonged, to a caller; and which of that belongs to none that is configured."""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.steps.azure.callers.observed import Api, Callers


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
    return found + [
        Unconfigured(work.api.holders[principal], None, principal) for principal in sorted(work.api.assigned) if principal not in known
    ]
