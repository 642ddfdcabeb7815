"""Key Vault: vaults, their names, soft delete, and the secrets inside one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from genai_platform.errors import StepError
from genai_platform.tools.azure.errors import code, explained, named, taken, unless
from genai_platform.tools.azure.pipeline import RETRIES, management_client, normalized
from genai_platform.tools.azure.transport import transport

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

_MANAGEMENT_VERSION = "2023-07-01"
"""Older than the SDK's own, and therefore in every region of every cloud (Microsoft.KeyVault/vaults, API versions)."""
RETENTION_DAYS = 7
"""The least that Key Vault allows."""
_SETTLES = 120.0
"""Seconds; until then a deletion of a secret that is under way keeps its name from being used."""


@dataclass(frozen=True)
class Vault:
    """One vault."""

    name: str
    id: str
    location: str
    url: str
    """``https://NAME.vault.azure.net``, no slash at the end."""
    tags: Mapping[str, str]
    role_based: bool


@dataclass(frozen=True)
class SoftDeleted:
    """A soft-deleted vault or service."""

    name: str
    location: str
    until: str
    """When the name is free by itself; ISO 8601."""
    resource_id: str = ""


@dataclass(frozen=True)
class Stored:
    """A secret without its value."""

    name: str
    enabled: bool
    expires: datetime | None
    tags: Mapping[str, str]


class Vaults:
    """The vaults of a subscription."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure
        self._clients: dict[str, SecretClient] = {}
        self._lock = threading.Lock()

    @cached_property
    def _management(self) -> Any:
        from azure.mgmt.keyvault import KeyVaultManagementClient

        interval = 10 if self._azure.target.endpoints.real else 0.2
        return management_client(KeyVaultManagementClient, self._azure, api_version=_MANAGEMENT_VERSION, polling_interval=interval)

    # -- vaults -----------------------------------------------------------------------------------
    def in_group(self, group: str) -> list[Vault]:
        """The vaults of a resource group; none when the group does not exist, or where the subscription never had any."""
        with explained(f"list the vaults of {group}"):
            found = unless([404], lambda: list(self._management.vaults.list_by_resource_group(group))) or ()
            return [self._vault(entry) for entry in found]

    def available(self, name: str) -> str | None:
        """None when the name is free everywhere, else why not; empty when it cannot be asked: that is a right at the subscription."""
        asked = {"name": name, "type": "Microsoft.KeyVault/vaults"}
        with explained(f"ask whether the vault name {name} is free"):
            return taken(lambda: self._management.vaults.check_name_availability(asked))

    def deleted(self, name: str) -> SoftDeleted | None:
        """The soft-deleted vault of this name in this subscription, in whatever region; None when there is none, or none that we may see.

        Looking at deleted vaults is a right at the subscription: an identity with rights on the resource group alone is refused.
        """
        with explained(f"look for a deleted vault {name}"):
            found = named(name, self._management.vaults.list_deleted)
            if found is None:
                return None
            held, until = found.properties, found.properties.scheduled_purge_date
            return SoftDeleted(name, normalized(str(held.location)), until.isoformat() if until else "", str(held.vault_id))

    def make(self, group: str, name: str, location: str, tags: Mapping[str, str], *, recover: bool = False) -> Vault:
        """Make a vault with role-based access, or recover a soft-deleted one. Purge protection is never switched on."""
        properties: dict[str, Any] = {
            "tenantId": self._azure.tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True,
            "softDeleteRetentionInDays": RETENTION_DAYS, "createMode": "recover" if recover else "default",
        }  # fmt: skip
        body = {"location": location, "tags": dict(tags), "properties": properties}
        with explained(f"{'recover' if recover else 'make'} the vault {name}"):
            return self._vault(self._management.vaults.begin_create_or_update(group, name, body).result())

    def delete(self, group: str, name: str) -> None:
        """Delete a vault; its name stays taken until it is purged."""
        with explained(f"delete the vault {name}"):
            self._management.vaults.delete(group, name)

    def purge(self, name: str, location: str) -> None:
        """Remove a soft-deleted vault for good.

        Raises:
            Forbidden: without the right to.
            PurgeProtected: nobody may.
        """
        with explained(f"purge the vault {name}"):
            self._management.vaults.begin_purge_deleted(name, location).result()

    @staticmethod
    def _vault(entry: Any) -> Vault:
        properties = entry.properties
        url = str(properties.vault_uri).rstrip("/")
        tags, role_based = dict(entry.tags or {}), bool(properties.enable_rbac_authorization)
        return Vault(entry.name, entry.id, normalized(entry.location), url, tags, role_based)

    # -- secrets ----------------------------------------------------------------------------------
    def client(self, vault: Vault) -> SecretClient:
        """The SDK's client of one vault, with its challenge verification as it comes."""
        from azure.keyvault.secrets import SecretClient

        with self._lock:
            if vault.url not in self._clients:
                endpoints = self._azure.target.endpoints
                self._clients[vault.url] = SecretClient(vault.url, self._azure.credential, transport=transport(endpoints), **RETRIES)
            return self._clients[vault.url]

    def secrets(self, vault: Vault) -> list[Stored]:
        """Every secret of a vault, without values. Raises ``Forbidden`` while rights are missing."""
        with explained(f"list the secrets of {vault.name}"):
            return [
                Stored(str(entry.name), bool(entry.enabled), entry.expires_on, dict(entry.tags or {}))
                for entry in self.client(vault).list_properties_of_secrets()
            ]

    def put(self, vault: Vault, name: str, value: SecretStr, tags: Mapping[str, str], expires: datetime | None) -> None:
        """Store a secret's new version. A soft-deleted one of this name is recovered first; one that is being deleted, waited for."""
        client = self.client(vault)
        more: dict[str, Any] = {"tags": dict(tags), "content_type": "text/plain", "enabled": True}
        if expires is not None:
            more["expires_on"] = expires
        with explained(f"store {name} in the vault {vault.name}"):
            self._set(client, name, lambda: client.set_secret(name, value.get_secret_value(), **more))

    @staticmethod
    def _set(client: SecretClient, name: str, store: Callable[[], object]) -> None:
        from azure.core.exceptions import HttpResponseError

        deadline, pause = time.monotonic() + _SETTLES, 0.5
        while True:
            try:
                store()
                return
            except HttpResponseError as error:
                said = f"{code(error)} {error.message}".lower()
                if error.status_code != 409 or time.monotonic() >= deadline:
                    raise
                if "recoverable" in said:
                    client.begin_recover_deleted_secret(name).wait()
                elif "being" not in said:  # neither being deleted nor being recovered: no wait ends that
                    raise
                else:
                    time.sleep(pause)
                    pause = min(pause * 2, 8.0)

    def value(self, vault: Vault, name: str) -> SecretStr | None:
        """A secret's value; None when there is none. A disabled one raises ``StepError``."""
        with explained(f"read {name} from the vault {vault.name}"):
            found = unless([404], lambda: self.client(vault).get_secret(name))
        return None if found is None else SecretStr(str(found.value))

    def mark(self, vault: Vault, name: str, *, enabled: bool, tags: Mapping[str, str]) -> None:
        """Enable or disable a secret's newest version, and set its tags."""
        with explained(f"change {name} in the vault {vault.name}"):
            client = self.client(vault)
            versions = sorted(client.list_properties_of_secret_versions(name), key=_made)
            if not versions:
                raise StepError(f"{name} is not in the vault {vault.name}", id="azure.no_secret")
            client.update_secret_properties(name, versions[-1].version, enabled=enabled, tags=dict(tags))

    def remove(self, vault: Vault, name: str) -> None:
        """Delete a secret and purge it where that is allowed."""
        from azure.core.exceptions import ResourceNotFoundError

        client = self.client(vault)
        with explained(f"delete {name} from the vault {vault.name}"):
            try:
                client.begin_delete_secret(name).wait()
            except ResourceNotFoundError:
                return
            # 409: its deletion is still under way. What stays is recovered by the next ``put``, and goes with the vault.
            unless([403, 404, 409], lambda: client.purge_deleted_secret(name))


def _made(version: Any) -> datetime:
    """When a version was made: the newest is the one that is read."""
    found: datetime | None = version.created_on
    return found or datetime.min.replace(tzinfo=UTC)
