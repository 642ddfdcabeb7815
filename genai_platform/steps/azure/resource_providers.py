"""Resource providers: a fresh subscription has those of API Management and Key Vault not registered, and refuses everything of theirs."""

from __future__ import annotations

from genai_platform.engine.step import Progress
from genai_platform.errors import MissingError
from genai_platform.steps.clients import Clients
from genai_platform.tools.wait import wait_while

NAMESPACES = ("Microsoft.KeyVault", "Microsoft.ApiManagement")
OPENAI = "Microsoft.CognitiveServices"
"""Only with ``[azure.openai]``, or with models without a key."""
_LIMIT = 900.0
"""Seconds; Azure registers a provider in some minutes."""


def needed(clients: Clients) -> tuple[str, ...]:
    """The providers whose resources this environment makes or gives roles at."""
    settings = clients.target.settings
    return (*NAMESPACES, OPENAI) if settings.azure.openai or settings.litellm.keyless else NAMESPACES


def missing(clients: Clients) -> list[str]:
    """The providers that are needed and not registered. What we may not see counts as registered: it shows when it is used."""
    return [name for name in needed(clients) if clients.azure.arm.registration(name) not in ("Registered", "")]


def look(clients: Clients) -> str:
    """Whether the providers are registered, or can be. Changes nothing.

    Raises:
        MissingError: one is not registered, and we may not do it.
    """
    arm, scope = clients.azure.arm, f"/subscriptions/{clients.azure.subscription}"
    absent = missing(clients)
    if not absent:
        return f"{' and '.join(needed(clients))} are registered"
    refused = [name for name in absent if not arm.may(scope, f"{name}/register/action")]
    if refused:
        raise MissingError(
            f"{' and '.join(refused)} are not registered with the subscription, and {clients.azure.identity.name} may not register them",
            remedy="; ".join(f"az provider register --namespace {name} --wait" for name in refused) + " (Contributor at the subscription)",
            id="azure.not_registered",
        )
    return f"{' and '.join(absent)}: not registered yet, `genai up` registers"


def register(clients: Clients, progress: Progress) -> None:
    """Register what is missing, and wait until it is done.

    Raises:
        StepError: it is not done after a quarter of an hour, or was refused.
    """
    arm = clients.azure.arm
    for name in missing(clients):
        if arm.registration(name) != "Registering":
            progress.say(f"registering the resource provider {name} with the subscription")
            arm.register(name)
    wait_while(lambda: missing(clients), progress, lambda left: f"waiting until {' and '.join(left)} are registered", _LIMIT, interval=10)
