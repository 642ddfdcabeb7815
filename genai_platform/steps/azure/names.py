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
    why = doors.azure.vaults.available(name)
    if why:
        raise taken("vault", name, why)
    return f"{name} is free"


def service(doors: Doors) -> str:
    """What is known of the new service's name. Raises ``MissingError`` when somebody else has it."""
    found = site.find_service(doors)
    if found:
        return f"{found.name} is there"
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
