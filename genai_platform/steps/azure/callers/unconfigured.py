"""What in the world belongs, or belonged, to a caller; and which of that is nobody's who is configured."""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.callers.observed import PREFIX, Callers


@dataclass(frozen=True)
class Unconfigured:
    """What belongs, or belonged, to one caller."""

    caller: str
    """The name it had, or as much of one as is known."""
    client_id: str | None
    """None: only its service principal is known."""
    principal: str | None = None


def strays(work: Callers) -> list[Unconfigured]:
    """Traces of those that are no configured caller: of callers that went, and of those that have another ``client_id`` now.

    The configuration is the only list of callers: anyone else who holds the role loses it.
    """
    wanted = {client for name in work.configured if (client := work.client_id(name))}
    principals = {work.principal(client) for client in wanted}
    if work.shared:
        wanted.add(work.shared_client)
    return [one for one in traces(work) if one.client_id not in wanted and (one.client_id or one.principal not in principals)]


def traces(work: Callers) -> list[Unconfigured]:
    """Everything in the world that belongs, or belonged, to a caller."""
    found: dict[str, Unconfigured] = {}
    for name, entry in work.applications.items():
        client = str(entry["appId"]).lower()
        found[client] = Unconfigured(name, client)
    for stored in work.secrets.values():
        client = stored.name.removeprefix(PREFIX)
        found.setdefault(client, Unconfigured(str(stored.tags.get("caller")), client))
    for name, kept in work.kept.items():
        found.setdefault(kept.client_id, Unconfigured(name, kept.client_id))
    for client, keys in work.keys.items():
        named = [str(key.metadata.get("name")) for key in keys if key.metadata.get("caller") == client]
        if named:
            found.setdefault(client, Unconfigured(named[0], client))
    known = {work.principal(client) for client in found}
    known |= {str(entry["id"]) for entry in work.graph.principals(entra_applications.probe_prefix(work.target))}
    others = [Unconfigured(work.holders[principal], None, principal) for principal in sorted(work.assigned) if principal not in known]
    return [found[client] for client in sorted(found)] + others
