"""Whether the names that are global, the vault's and the service's, can be had."""

from __future__ import annotations

from genai_platform.errors import MissingError
from genai_platform.steps.azure import site
from genai_platform.steps.doors import Doors


def vault(doors: Doors) -> str:
    """What is known of the vault's name. Raises ``MissingError`` when somebody else has it."""
    found = site.find_vault(doors)
    if found:
        return f"{found.name} is there"
    name, location = site.candidates(doors.target)[0], doors.target.settings.azure.location
    if doors.azure.vaults.deleted(name, location):
        return f"{name} is soft-deleted and will be purged or recovered"
    return _free("vault", name, doors.azure.vaults.available(name))


def service(doors: Doors) -> str:
    """What is known of the new service's name. Raises ``MissingError`` when somebody else has it."""
    found = site.find_service(doors)
    if found:
        return f"{found.name} is there"
    name, location = site.candidates(doors.target)[0], doors.target.settings.azure.location
    if doors.azure.apim.deleted(name, location):
        return f"{name} is soft-deleted and will be purged or restored"
    return _free("service", name, doors.azure.apim.available(name))


def _free(kind: str, name: str, why: str | None) -> str:
    """What is told of an answer to whether a name is free. Raises ``MissingError`` for one that somebody else has."""
    if why:
        raise taken(kind, name, why)
    # Asking is a right at the subscription: with rights at the group alone it shows when the name is asked for.
    return f"{name} is free" if why is None else f"{name}: whether it is free will be seen (no right to ask at the subscription)"


def taken(kind: str, name: str, why: str) -> MissingError:
    """The error for a global name that somebody else has."""
    what = "vault" if kind == "vault" else "API Management service"
    return MissingError(
        f"the {what} name {name} is taken by somebody else: {why}",
        remedy="use another environment name (--env) or platform.name: names follow from them",
        id=f"azure.{kind}_name_taken",
    )
