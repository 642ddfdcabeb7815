"""What the Azure steps share: names, and looking for what the others made. The world is asked each time."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

from genai_platform.advice import run_genai
from genai_platform.config.target import Target
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Observation, Progress
from genai_platform.errors import MissingError, NeverBuilt, StepError
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import Service
from genai_platform.tools.azure.vaults import Vault

NAMES_TO_TRY = 4
PATIENCE = 60.0
"""Seconds for which a step that builds goes on asking for what the step before it made: the directory shows it after a while."""


# -- names ----------------------------------------------------------------------------------------
def digest(target: Target) -> str:
    """Six hexadecimal digits that tell environments of one name in several subscriptions apart."""
    return hashlib.sha256(f"{target.settings.azure.subscription_id}:{target.prefix}".encode()).hexdigest()[:6]


def candidates(target: Target) -> list[str]:
    """Names for vault and service, global and at most 24 characters: the first, and what is taken when it is blocked."""
    environment = "".join(letter for letter in target.environment if letter.isalnum() or letter == "-")[:8].strip("-")
    first = f"genai-{environment}-{digest(target)}"
    return [first, *(f"{first}{letter}" for letter in "bcdefgh"[: NAMES_TO_TRY - 1])]


def group_name(target: Target) -> str:
    """The resource group everything lies in."""
    return target.resource_group


def object_name(target: Target, kind: str) -> str:
    """Names inside API Management, where others may have objects of their own."""
    return f"{target.settings.platform.name}-{target.environment}-{kind}"


def ours(target: Target, tags: object) -> bool:
    """Whether these tags say that this environment made the thing."""
    return isinstance(tags, dict) and all(tags.get(name) == value for name, value in target.tags.items())


# -- what is there --------------------------------------------------------------------------------
def find_vault(clients: Clients) -> Vault | None:
    """This environment's vault: the one in the group that carries its tags."""
    found = clients.azure.vaults.in_group(group_name(clients.target))
    return next((vault for vault in found if ours(clients.target, dict(vault.tags))), None)


def find_service(clients: Clients) -> Service | None:
    """The service: the existing one that is named, or the one in the group that carries our tags."""
    existing = clients.target.settings.azure.apim.existing
    if existing:
        return clients.azure.apim.find(existing)
    found = clients.azure.apim.in_group(group_name(clients.target))
    return next((service for service in found if ours(clients.target, dict(service.tags))), None)


def need_vault(clients: Clients) -> Vault:
    """The vault. Raises ``NeverBuilt`` naming the command that makes it."""
    found = find_vault(clients)
    if found is None:
        raise NeverBuilt("the vault is not there yet", remedy=run_genai("azure --only vault"), id="azure.no_vault")
    return found


def need_service(clients: Clients) -> Service:
    """The service. Raises ``StepError`` naming the command that makes it."""
    found = find_service(clients)
    if found is None:
        raise StepError("the API Management service is not there yet", remedy=run_genai("azure --only service"), id="azure.no_service")
    return found


def need_principal(service: Service) -> str:
    """The service's managed identity. Raises ``MissingError`` when it has none."""
    if service.principal is None:
        raise MissingError(
            f"the API Management service {service.name} has no system-assigned identity, and the policy reads the vault with it",
            remedy=f"az apim update --name {service.name} --resource-group {service.group} --enable-managed-identity true",
            id="azure.no_identity",
        )
    return service.principal


# -- a step ---------------------------------------------------------------------------------------
class AzureStep(ABC):
    """What all Azure steps do alike. ``look`` may raise ``GenaiError``: what could not be seen is unknown, never absent."""

    id: str
    needs: tuple[str, ...]
    minutes = 0.2
    limit = 600.0
    what: str
    """The object, for plans."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.target = clients.target

    @abstractmethod
    def look(self) -> Observation:
        """Look at the world."""

    @abstractmethod
    def apply(self, progress: Progress) -> str: ...

    @abstractmethod
    def destroy(self, progress: Progress) -> str: ...

    def quick_look(self) -> Observation:
        """The same where ``look`` would wait for what answers slowly."""
        return self.look()

    def glance(self) -> Observation:
        with unknown_if_never_built():
            return self.quick_look()

    def observe(self) -> Observation:
        # What lies in Azure outlives the cluster, the secrets and the roots' outputs that it is compared with.
        with unknown_if_never_built():
            return self.look().with_change(self.what)
