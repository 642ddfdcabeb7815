"""Azure OpenAI's accounts and deployments in Resource Manager, and what a region and a subscription offer for them.

Nothing here waits: what is being made shows its state, and a refusal that passes is a ``TemporaryRefusal``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from genai_platform.errors import AlreadyExists, StepError
from genai_platform.tools.azure.credentials import ARM_SCOPE
from genai_platform.tools.azure.errors import TemporaryRefusal, explained, named, unless
from genai_platform.tools.azure.locations import normalized
from genai_platform.tools.azure.pipeline import management
from genai_platform.tools.azure.transport import transport
from genai_platform.tools.azure.vaults import SoftDeleted

READY = "Succeeded"
"""The provisioning state of what can be used."""


class QuotaExceeded(StepError):
    """The subscription's quota for a model in a region is used up."""


@dataclass(frozen=True)
class Account:
    """One account."""

    name: str
    id: str
    location: str
    endpoint: str
    """``https://NAME.openai.azure.com``, no slash at the end."""
    state: str
    keyless: bool
    """Whether keys are refused."""
    tags: Mapping[str, str] = field(default_factory=dict)
    subdomain: str = ""
    """Its own subdomain; an account without one is asked at its region's address, with a key."""
    hosts: frozenset[str] = frozenset()
    """All host names it is asked at."""


@dataclass(frozen=True)
class Deployment:
    """A model under a name."""

    name: str
    model: str
    version: str
    """Empty in what is asked for: the region's default."""
    sku: str
    capacity: int
    """Thousands of tokens a minute."""
    state: str = ""


@dataclass(frozen=True)
class Quota:
    """How much of a quota is used, in thousands of tokens a minute."""

    used: int
    limit: int


class CognitiveAccounts:
    """The accounts of a subscription."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure

    @cached_property
    def _client(self) -> Any:
        from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

        endpoints = self._azure.target.endpoints
        return CognitiveServicesManagementClient(
            self._azure.credential,
            self._azure.subscription,
            base_url=endpoints.azure.arm,
            policies=management(self._azure.credential, ARM_SCOPE),
            transport=transport(endpoints),
        )

    # -- accounts ---------------------------------------------------------------------------------
    def everywhere(self) -> list[Account]:
        """The accounts of the subscription; none when it never had any."""
        with explained("list the accounts of Azure OpenAI in the subscription"):
            return [_account(one) for one in unless([404], lambda: list(self._client.accounts.list())) or ()]

    def in_group(self, group: str) -> list[Account]:
        """The accounts of a resource group; none when the group does not exist, or the subscription never had any."""
        with explained(f"list the accounts of Azure OpenAI in {group}"):
            return [_account(one) for one in unless([404], lambda: list(self._client.accounts.list_by_resource_group(group))) or ()]

    def account(self, group: str, name: str) -> Account | None:
        """One account; None when there is none."""
        with explained(f"read the account {name}"):
            found = unless([404], lambda: self._client.accounts.get(group, name))
        return _account(found) if found else None

    def taken(self, subdomain: str) -> str | None:
        """None when a subdomain is free everywhere, else why not; empty when it cannot be asked: that is a right at the subscription."""
        kind = "Microsoft.CognitiveServices/accounts"
        with explained(f"ask whether the name {subdomain} is free"):
            answer = unless([403], lambda: self._client.check_domain_availability(subdomain, type=kind))
        if answer is None:
            return ""
        return None if answer.is_subdomain_available else str(answer.reason)

    def begin(self, group: str, name: str, location: str, tags: Mapping[str, str], *, restore: bool = False) -> None:
        """Begin to make an account of this name and subdomain, which takes no keys; or to restore the deleted one.

        Raises:
            AlreadyExists: a deleted account has the name, or an account anywhere the subdomain.
        """
        properties = {"customSubDomainName": name, "disableLocalAuth": True, "publicNetworkAccess": "Enabled"}
        body = {"kind": "OpenAI", "sku": {"name": "S0"}, "location": location, "tags": dict(tags)}
        document = body | {"properties": properties | ({"restore": True} if restore else {})}
        with explained(f"make the account {name}", _kind):
            self._client.accounts.begin_create(group, name, _sent(document), polling=False)

    def delete(self, group: str, name: str) -> None:
        """Begin to delete an account without deployments; it can be restored for two days, and keeps its name so long."""
        with explained(f"delete the account {name}", _kind):
            self._client.accounts.begin_delete(group, name, polling=False)

    def deleted(self, name: str) -> SoftDeleted | None:
        """The soft-deleted account of this name; None when there is none, or none that we may see."""
        with explained(f"look for a deleted account {name}"):
            found = named(name, self._client.deleted_accounts.list)
        if found is None:
            return None
        return SoftDeleted(found.name, normalized(found.location), str(found.properties.scheduled_purge_date or ""), found.id)

    def purge(self, group: str, found: SoftDeleted) -> None:
        """Begin to remove a soft-deleted account for good: its name and its quota become free."""
        with explained(f"purge the account {found.name}", _kind):
            self._client.deleted_accounts.begin_purge(found.location, group, found.name, polling=False)

    # -- deployments ------------------------------------------------------------------------------
    def deployments(self, group: str, account: str) -> list[Deployment]:
        """The deployments of an account; none when the account does not exist."""
        with explained(f"list the deployments of {account}"):
            found = unless([404], lambda: list(self._client.deployments.list(group, account))) or ()
        return [_deployment(one) for one in found]

    def deploy(self, group: str, account: str, wanted: Deployment) -> None:
        """Begin to make or change a deployment.

        Raises:
            TemporaryRefusal: the account or another deployment of it is being changed.
            QuotaExceeded: the subscription has not so much left.
        """
        model = {"format": "OpenAI", "name": wanted.model} | ({"version": wanted.version} if wanted.version else {})
        document = {"sku": {"name": wanted.sku, "capacity": wanted.capacity}, "properties": {"model": model}}
        with explained(f"deploy {wanted.model} as {wanted.name} in {account}", _kind):
            self._client.deployments.begin_create_or_update(group, account, wanted.name, _sent(document), polling=False)

    def remove(self, group: str, account: str, deployment: str) -> None:
        """Begin to remove a deployment; gone already is fine. Raises ``TemporaryRefusal`` as ``deploy`` does."""
        with explained(f"remove the deployment {deployment} of {account}", _kind):
            self._client.deployments.begin_delete(group, account, deployment, polling=False)

    # -- what is on offer ---------------------------------------------------------------------------
    def models(self, location: str) -> list[tuple[str, str, str]]:
        """What can be deployed in a region: model, version and SKU of each possibility."""
        with explained(f"list the models of {location}"):
            found = [one.model for one in self._client.models.list(location) if one.kind == "OpenAI"]
        return [(model.name, model.version, sku.name) for model in found for sku in model.skus or ()]

    def quota(self, location: str, sku: str, model: str) -> Quota | None:
        """The subscription's quota for a model under a SKU in a region; None where there is none of this name."""
        with explained(f"read the quotas of {location}"):
            name = f"OpenAI.{sku}.{model}"
            found = next((one for one in self._client.usages.list(location) if one.name.value == name), None)
        return Quota(int(found.current_value), int(found.limit)) if found else None


def _account(entry: Any) -> Account:
    properties = entry.properties
    addresses = [str(properties.endpoint or ""), *map(str, (properties.endpoints or {}).values())]
    return Account(
        entry.name,
        entry.id,
        normalized(entry.location),
        str(properties.endpoint or "").rstrip("/"),
        str(properties.provisioning_state),
        bool(properties.disable_local_auth),
        dict(entry.tags or {}),
        str(properties.custom_sub_domain_name or ""),
        frozenset(host for address in addresses if (host := urlsplit(address).hostname)),
    )


def _deployment(entry: Any) -> Deployment:
    model = entry.properties.model
    return Deployment(
        entry.name,
        model.name,
        str(model.version or ""),
        entry.sku.name,
        int(entry.sku.capacity or 0),
        str(entry.properties.provisioning_state),
    )


def _sent(document: Mapping[str, Any]) -> bytes:
    """A body as it is: the SDK's models would add fields of their own."""
    return json.dumps(document).encode()


def _kind(number: int, text: str) -> type[StepError] | None:
    """Codes of Microsoft.CognitiveServices (reports: terraform-provider-azurerm#12258, Azure-Samples/azure-search-openai-demo#2091)."""
    code = text.split(" ", 1)[0]
    kinds: dict[str, type[StepError]] = {
        "RequestConflict": TemporaryRefusal,
        "InsufficientQuota": QuotaExceeded,
        "FlagMustBeSetForRestore": AlreadyExists,
        "CustomDomainInUse": AlreadyExists,
    }
    return kinds.get(code)
