"""A caller as a person sees it: how it signs in, the state of its key, and what a change to it did. Never a key's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.token import Client

KeyState = Literal["active", "revoked", "expired", "missing"]


@dataclass(frozen=True)
class Key:
    """One caller's key as a person may see it: never a value."""

    caller: str
    client_id: str | None
    state: KeyState
    alias: str | None = None
    """``<client id>.<n>``: LiteLLM's name of the key."""
    expires: str | None = None
    """ISO 8601, UTC; None: never."""
    spend: float | None = None
    """US dollars booked to the caller in this budget period; None: not known to LiteLLM."""
    budget: float | None = None
    models: tuple[str, ...] = ()

    @property
    def spent(self) -> bool:
        """Whether its budget is spent: LiteLLM answers 422 until the next budget period."""
        return self.budget is not None and self.spend is not None and self.spend >= self.budget


@dataclass(frozen=True)
class Rotation:
    """A key that took the place of another one."""

    key: Key
    old_alias: str | None
    overlap_seconds: int
    """How long the old key still works: longer than the gateway keeps a key."""


@dataclass(frozen=True)
class SecretRotation:
    """A client secret that was added; the old ones work until ``old_until``."""

    caller: str
    client_id: str
    expires: str
    old_until: str | None


@dataclass(frozen=True)
class Revocation:
    """What a revocation closed."""

    key: Key
    closed: tuple[str, ...]
    """What was done, one short line each."""


def signing_in(clients: Clients, caller: str, client_id: str, secret: SecretStr | None) -> Client:
    """How an application signs in to call the models. Raises ``GenaiError`` while the service or the API's application is missing."""
    service = lookup.need_service(clients)
    return Client(
        caller=caller,
        tenant_id=clients.azure.tenant,
        client_id=client_id,
        scope=f"api://{entra_applications.need_api(clients)['appId']}/.default",
        authority=clients.target.endpoints.azure.authority,
        gateway_url=f"{service.gateway.rstrip('/')}/{clients.target.settings.azure.apim.path}",
        secret=secret,
    )
