"""Who may sign in: the assignments of groups and people to a tool's application, exactly those that are configured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from genai_platform.config.sign_in import LitellmRole
from genai_platform.engine.step import Progress
from genai_platform.errors import Forbidden, MissingError
from genai_platform.steps.azure.application import app_role
from genai_platform.steps.azure.entra_applications import prefix, role_id
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.rest import Body

DEFAULT_ACCESS = "00000000-0000-0000-0000-000000000000"
"""The role of an assignment to an application that has none (Microsoft Graph, appRoleAssignment)."""


def application_roles(unique_name: str, tool: str) -> list[dict[str, Any]]:
    """The roles that people can have in a tool. LiteLLM reads its own roles by their names from the token; Langfuse reads none."""
    values = get_args(LitellmRole) if tool == "litellm" else ()
    return [app_role(unique_name, value, f"LiteLLM's role {value}.", "User") for value in values]


@dataclass(frozen=True)
class Assigned:
    """The assignments of one application: holder and role → the assignment's id and how its holder is called."""

    entries: dict[tuple[str, str], tuple[str, str]]

    def compared(self, clients: Clients, tool: str) -> tuple[list[str], list[str]]:
        """What is configured and not assigned, and who is assigned and not configured."""
        wanted = _wanted(clients, tool)
        missing = [name for pair, name in wanted.items() if pair not in self.entries]
        return missing, [name for pair, (_, name) in self.entries.items() if pair not in wanted]


def assigned(found: Iterable[Body]) -> Assigned:
    """Assignments as Graph lists them."""
    entries = {}
    for one in found:
        holder = str(one["principalId"])
        entries[holder, str(one["appRoleId"])] = (str(one["id"]), str(one.get("principalDisplayName") or holder))
    return Assigned(entries)


def settle(clients: Clients, tool: str, principal: str, progress: Progress) -> None:
    """Assign who is configured; then take away every other assignment.

    Raises:
        MissingError: a configured group or person does not exist in the tenant.
    """
    graph, wanted = clients.azure.graph, _wanted(clients, tool)
    for (holder, role), name in wanted.items():
        progress.check()
        if not graph.admit(principal, holder, role, progress.check):
            raise _unknown(clients, name)
    for pair, (id, _) in assigned(graph.assignments(principal)).entries.items():
        if pair not in wanted:
            progress.check()
            graph.unassign(principal, id)


def _wanted(clients: Clients, tool: str) -> dict[tuple[str, str], str]:
    """Holder and role → how the configuration calls the holder."""
    who, unique = clients.target.settings.sign_in, f"{prefix(clients.target)}sign-in.{tool}"

    def role(name: str) -> str:
        return role_id(unique, who.litellm_roles.get(name, who.litellm_role)) if tool == "litellm" else DEFAULT_ACCESS

    named = {name: _object_id(clients, name) for name in (*who.groups, *who.people)}
    return {(id, role(name)): name for name, id in named.items()}


def _object_id(clients: Clients, name: str) -> str:
    """The object id of a person by user principal name; an object id is taken as it is."""
    if "@" not in name:
        return name
    try:
        found = clients.azure.graph.person(name)
    except Forbidden as error:
        raise error.said(
            f"{name} could not be looked up: {error.message}",
            "grant the Graph permission User.ReadBasic.All, or write the person's object id in sign_in.people",
        ) from None
    if found is None:
        raise _unknown(clients, name)
    return found


def _unknown(clients: Clients, name: str) -> MissingError:
    return MissingError(
        f"sign_in: '{name}' is neither a group nor a person of the tenant {clients.azure.tenant}",
        remedy="correct sign_in.groups or sign_in.people; object ids: az ad user show --id NAME, az ad group show --group NAME",
        id="azure.sign_in.unknown",
    )
