"""What can be known before anything is made in Azure: who we are, rights, names, callers' expiries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from genai_platform.config.settings import Caller
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, GenaiError, MissingError
from genai_platform.steps.azure import site
from genai_platform.steps.doors import Doors


@dataclass(frozen=True)
class Found:
    """One look: what was seen, or the error that says what is wrong."""

    id: str
    text: str
    error: GenaiError | None = None


def looks(doors: Doors) -> Iterator[Found]:
    """Look at everything that the Azure half needs. None of it changes anything."""
    questions: list[tuple[str, Callable[[], str]]] = [
        ("azure.callers", lambda: expiries(doors.target)),
        ("azure.identity", lambda: _identity(doors)),
        ("azure.subscription", lambda: f"subscription {doors.azure.arm.confirm()}"),
        ("azure.directory", lambda: _directory(doors)),
        ("azure.rights", lambda: _rights(doors)),
        ("azure.vault_name", lambda: _vault_name(doors)),
        ("azure.service_name", lambda: _service_name(doors)),
    ]
    for id, ask in questions:
        try:
            yield Found(id, ask())
        except GenaiError as error:
            yield Found(id, error.message, error)
            if id in ("azure.identity", "azure.subscription"):
                return  # the rest would say the same again


def refuse(doors: Doors) -> None:
    """Raise the first fault there is."""
    for found in looks(doors):
        if found.error:
            raise found.error


# -- callers --------------------------------------------------------------------------------------
def expiry(caller: Caller) -> datetime | None:
    """When a caller's key ends; None: never. A date means the end of that day, UTC."""
    if caller.expires is None:
        return None
    found = datetime.fromisoformat(caller.expires.replace("Z", "+00:00"))
    if len(caller.expires) == 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def expiries(target: Target) -> str:
    """How many callers there are. Raises ``ConfigError`` for an expiry that is no date or lies in the past."""
    callers = target.settings.azure.callers
    for name, caller in callers.items():
        try:
            end = expiry(caller)
        except ValueError:
            raise ConfigError(
                f"azure.callers.{name}.expires: '{caller.expires}' is no ISO 8601 date or time",
                remedy="write it like 2027-03-31 or 2027-03-31T18:00:00Z",
                id="config.expires",
            ) from None
        if end is not None and end <= datetime.now(UTC):
            raise ConfigError(
                f"azure.callers.{name}.expires: {caller.expires} lies in the past",
                remedy=f"set a later date, or remove [azure.callers.{name}]",
                id="config.expires_past",
            )
    return f"{len(callers)} caller{'' if len(callers) == 1 else 's'} configured"


# -- rights ---------------------------------------------------------------------------------------
def _identity(doors: Doors) -> str:
    who = doors.azure.identity
    return f"{who.name} ({who.kind}) in tenant {who.tenant_id}"


def _directory(doors: Doors) -> str:
    """Whether the directory may be read. Whether it may be written is known from the token's permissions."""
    try:
        doors.azure.graph.application(site.api_name(doors.target))
    except GenaiError as error:
        raise _graph_right(doors, ["Application.Read.All"]) if error.id == "azure.403" else error from None
    held = doors.azure.graph.permissions()
    if held is None:
        return "the directory can be read; what a person may write shows when it is written"
    wanted = {
        "Application.ReadWrite.OwnedBy": {"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"},
        "Application.Read.All": {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"},
        "AppRoleAssignment.ReadWrite.All": {"AppRoleAssignment.ReadWrite.All"},
    }
    missing = [name for name, enough in wanted.items() if not enough & held]
    if missing:
        raise _graph_right(doors, missing)
    return "the Graph permissions are there"


def _graph_right(doors: Doors, missing: list[str]) -> MissingError:
    who = doors.azure.identity
    if who.kind == "User":
        remedy = "ask for the directory role Cloud Application Administrator (Entra ID, Roles and administrators)"
    else:
        remedy = "; ".join(
            f"az ad app permission add --id {who.name} --api 00000003-0000-0000-c000-000000000000 --api-permissions {_IDS[name]}=Role"
            for name in missing
        )
        remedy += f"; then, by an administrator: az ad app permission admin-consent --id {who.name}"
    return MissingError(f"{who.name} lacks the Graph permission {', '.join(missing)}", remedy=remedy, id="azure.graph_permission")


_IDS = {
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
}
"""Microsoft Graph's app role ids (Microsoft Graph permissions reference)."""


def _rights(doors: Doors) -> str:
    """Whether ARM lets us build and assign roles, from the effective permissions at the group or the subscription."""
    name = site.group_name(doors.target)
    azure = doors.azure
    scope = f"/subscriptions/{azure.subscription}"
    if azure.arm.group(name) is not None:
        scope += f"/resourceGroups/{name}"
    needed = {
        "Contributor": "Microsoft.ApiManagement/service/write",
        "Role Based Access Control Administrator": "Microsoft.Authorization/roleAssignments/write",
    }
    missing = [role for role, action in needed.items() if not azure.arm.may(scope, action)]
    if missing:
        who = azure.identity
        commands = "; ".join(
            f'az role assignment create --role "{role}" --assignee-object-id {who.object_id} '
            f"--assignee-principal-type {who.kind} --scope {scope}"
            for role in missing
        )
        raise MissingError(f"{who.name} lacks {' and '.join(missing)} at {scope}", remedy=commands, id="azure.rights")
    return f"may build and assign roles at {scope}"


# -- names ----------------------------------------------------------------------------------------
def _vault_name(doors: Doors) -> str:
    found = site.find_vault(doors)
    if found:
        return f"{found.name} is there"
    name, location = site.candidates(doors.target)[0], doors.target.settings.azure.location
    if doors.azure.vaults.deleted(name, location):
        return f"{name} is soft-deleted and will be purged or recovered"
    why = doors.azure.vaults.available(name)
    if why:
        raise taken("vault", name, why)
    return f"{name} is free"


def _service_name(doors: Doors) -> str:
    wanted = doors.target.settings.azure.apim.existing
    found = site.find_service(doors)
    if found:
        return f"{found.name} is there"
    if wanted:
        raise MissingError(
            f"azure.apim.existing: there is no API Management service '{wanted}' in this subscription",
            remedy="correct the name: az apim list --query '[].name'",
            id="azure.no_service",
        )
    name, location = site.candidates(doors.target)[0], doors.target.settings.azure.location
    if doors.azure.apim.deleted(name, location):
        return f"{name} is soft-deleted and will be purged or restored"
    why = doors.azure.apim.available(name)
    if why:
        raise taken("service", name, why)
    return f"{name} is free"


def taken(kind: str, name: str, why: str) -> MissingError:
    """The error for a global name that somebody else has."""
    what = "vault" if kind == "vault" else "API Management service"
    return MissingError(
        f"the {what} name {name} is taken by somebody else: {why}",
        remedy="use another environment name (--env) or platform.name: names follow from them",
        id=f"azure.{kind}_name_taken",
    )
