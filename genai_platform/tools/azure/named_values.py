"""Named values of API Management: secrets that a policy names, kept in the service or read from Key Vault.

Making one is a long-running operation. It is begun without the SDK's poller, which ends in "No status found in body"
for every named value, and watched by reading the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from genai_platform.tools.azure.apim import Service, properties
from genai_platform.tools.azure.conflicts import Writes
from genai_platform.tools.azure.errors import explained, unless


@dataclass(frozen=True)
class NamedValue:
    """A named value without its value."""

    secret_identifier: str
    """Where in Key Vault its value lies, without a version (with one it would never be read again); empty: in the service."""
    status: str
    """How the last reading of the vault ended, ``Success`` or the vault's error code; empty while it is under way."""


class NamedValues:
    """Through the SDK's client of API Management."""

    def __init__(self, client: Any, writes: Writes) -> None:
        self._client = client.named_value
        self._writes = writes

    def get(self, at: Service, name: str) -> NamedValue | None:
        """One named value; None when there is none."""
        with explained(f"read the named value {name}"):
            known = unless([404], lambda: self._client.get(at.group, at.name, name))
        if known is None:
            return None
        found = properties(known)
        vault = found.get("keyVault") or {}
        return NamedValue(str(vault.get("secretIdentifier") or ""), str((vault.get("lastStatus") or {}).get("code") or ""))

    def begin_from_vault(self, at: Service, name: str, secret_identifier: str) -> None:
        """Begin to make one whose value the service's own identity reads from Key Vault."""
        # Naming the identity would be refused: no identityClientId means the system-assigned one.
        self._begin(at, name, {"keyVault": {"secretIdentifier": secret_identifier}})

    def begin_with(self, at: Service, name: str, value: SecretStr) -> None:
        """Begin to make one whose value the service keeps."""
        self._begin(at, name, {"value": value.get_secret_value()})

    def _begin(self, at: Service, name: str, what: dict[str, Any]) -> None:
        with explained(f"make the named value {name}"):
            body = {"properties": {"displayName": name, "secret": True, **what}}
            self._writes.send(lambda: self._client.begin_create_or_update(at.group, at.name, name, body, polling=False))

    def value(self, at: Service, name: str) -> SecretStr:
        """The value that the service keeps."""
        with explained(f"read the value of the named value {name}"):
            return SecretStr(str(self._client.list_value(at.group, at.name, name).value))

    def refresh(self, at: Service, name: str) -> None:
        """Let the service read the vault now; by itself it does so every four hours."""
        with explained(f"refresh the named value {name}"):
            self._writes.send(lambda: self._client.begin_refresh_secret(at.group, at.name, name, polling=False))

    def delete(self, at: Service, name: str) -> None:
        """Remove one; gone already is fine."""
        with explained(f"delete the named value {name}"):
            unless([404], lambda: self._writes.send(lambda: self._client.delete(at.group, at.name, name, "*")))
