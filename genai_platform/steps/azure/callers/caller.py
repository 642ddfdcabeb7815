"""A caller as a person sees it: how it signs in, the state of its key, and what a change to it did. Never a key's value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

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


@dataclass(frozen=True)
class Client:
    """How a caller signs in. ``secret`` is None for an existing application named by ``client_id``."""

    caller: str
    tenant_id: str
    client_id: str
    scope: str
    """``api://<application id of the API>/.default``."""
    authority: str
    gateway_url: str
    """``https://SERVICE.azure-api.net/PATH``: the base address; model routes follow as ``/v1/...``."""
    secret: SecretStr | None = field(repr=False, default=None)
