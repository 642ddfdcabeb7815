"""Whether the names that are global, the vault's and the service's, can be had."""

from __future__ import annotations

from genai_platform.advice import advice, genai
from genai_platform.errors import ConfigError, MissingError
from genai_platform.steps.azure import lookup
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import Service


def vault(clients: Clients) -> str:
    """What is known of the vault's name. Raises ``MissingError`` when somebody else has it."""
    found = lookup.find_vault(clients)
    if found:
        return f"{found.name} is there"
    name = lookup.candidates(clients.target)[0]
    if clients.azure.vaults.deleted(name):
        return f"{name} is soft-deleted and will be purged or recovered"
    return _free("vault", name, clients.azure.vaults.available(name))


def service(clients: Clients) -> str:
    """What is known of the new service's name.

    Raises:
        MissingError: somebody else has it.
        ConfigError: the service is there and cannot become what is configured.
    """
    found = lookup.find_service(clients)
    if found:
        refuse_sku(clients, found)
        return f"{found.name} is there"
    name = lookup.candidates(clients.target)[0]
    if clients.azure.apim.deleted(name):
        return f"{name} is soft-deleted and will be purged or restored"
    return _free("service", name, clients.azure.apim.available(name))


def _free(kind: str, name: str, why: str | None) -> str:
    """What is told of an answer to whether a name is free. Raises ``MissingError`` for one that somebody else has."""
    if why:
        raise taken(kind, name, why)
    # Asking is a right at the subscription, of a registered provider: otherwise it shows when the name is asked for.
    return (
        f"{name} is free"
        if why is None
        else f"{name}: whether it is free shows when it is made (no right to ask, or its resource provider is not registered)"
    )


def refuse_sku(clients: Clients, found: Service) -> None:
    """Raise ``ConfigError`` where Azure does not change the service's tier into the configured one.

    A service moves within the classic tiers or within the v2 tiers alone (Microsoft Learn, "API Management v2 tiers", questions).
    """
    wanted = clients.target.settings.azure.apim.sku
    before, after = _family(found.sku), _family(wanted)
    if before == after:
        return
    raise ConfigError(
        f"azure.apim.sku: {found.name} is {found.sku} ({before}) and cannot become {wanted} ({after})",
        remedy=advice(
            "set it back to '{}'; or remove the Azure half and make it again: {}, then {}", found.sku, genai("azure remove"), genai("up")
        ),
        id="config.sku_change",
    )


def _family(sku: str) -> str:
    return sku if sku == "Consumption" else "v2" if sku.endswith("V2") else "classic"


def taken(kind: str, name: str, why: str) -> MissingError:
    """The error for a global name that somebody else has."""
    what = "vault" if kind == "vault" else "API Management service"
    return MissingError(
        f"the {what} name {name} is taken by somebody else: {why}",
        remedy="use another environment name (--env) or platform.name: names follow from them",
        id=f"azure.{kind}_name_taken",
    )
