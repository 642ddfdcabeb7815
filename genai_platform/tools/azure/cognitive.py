"""Azure OpenAI's accounts and deployments in Resource Manager, and what a region and a subscription offer for them.

Nothing here waits: what is being made shows its state, and a refusal that passes is a ``TemporaryRefusal``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from genai_platform.errors import AlreadyExists, NotFound, StepError
from genai_platform.tools.azure.errors import TemporaryRefusal, explained, unless
from genai_platform.tools.azure.pipeline import management_client, normalized

READY, FAILED = "Succeeded", "Failed"
"""Provisioning states: of what can be used, and of what never will be."""
_KINDS = frozenset({"OpenAI", "AIServices"})
"""Kinds of Cognitive Services accounts that have deployments of Azure OpenAI (Microsoft Learn, "Azure OpenAI in Foundry Models")."""


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

    @property
    def group(self) -> str:
        """Its resource group."""
        return self.id.split("/")[4]


@dataclass(frozen=True)
class DeletedAccount:
    """A soft-deleted account."""

    name: str
    group: str
    location: str
    until: str
    """When Azure removes it for good; ISO 8601."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A model under a name."""

    name: str
    model: str
    version: str
    """Empty in what is asked for: the region's default."""
    sku: str
    capacity: int
    """Thousands of tokens a minute; of provisioned SKUs, units."""
    state: str = ""


@dataclass(frozen=True)
class Offer:
    """What can be deployed in a region."""

    model: str
    version: str
    sku: str
    quota: str
    """The name of the quota that it takes, e.g. ``OpenAI.Standard.gpt-4o``."""


@dataclass(frozen=True)
class Quota:
    """How much of a quota is used, in the unit of a deployment's capacity."""

    used: int
    limit: int

    @property
    def free(self) -> int:
        return self.limit - self.used


class CognitiveAccounts:
    """The accounts of a subscription."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure

    @cached_property
    def _client(self) -> Any:
        from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

        return management_client(CognitiveServicesManagementClient, self._azure)

    # -- accounts ---------------------------------------------------------------------------------
    def everywhere(self) -> list[Account]:
        """The accounts of the subscription that have deployments of Azure OpenAI; none when it never had any."""
        with explained("list the accounts of Azure OpenAI in the subscription"):
            return [_account(one) for one in unless([404], lambda: list(self._client.accounts.list())) or () if one.kind in _KINDS]

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

    def begin(self, group: str, name: str, location: str, tags: Mapping[str, str], *, keyless: bool = True, restore: bool = False) -> None:
        """Begin to make an account of this name and subdomain, ``keyless`` if keys are refused; or to restore the deleted one.

        Raises:
            AlreadyExists: a deleted account has the name, or an account anywhere the subdomain.
        """
        properties = {"customSubDomainName": name.lower(), "disableLocalAuth": keyless, "publicNetworkAccess": "Enabled"}
        body = {"kind": "OpenAI", "sku": {"name": "S0"}, "location": location, "tags": dict(tags)}
        document = body | {"properties": properties | ({"restore": True} if restore else {})}
        with explained(f"make the account {name}", _kind):
            self._client.accounts.begin_create(group, name, _sent(document), polling=False)

    def set_keyless(self, group: str, name: str, keyless: bool) -> None:
        """Refuse keys, or take them. Raises ``TemporaryRefusal`` while the account is being changed."""
        with explained(f"change the account {name}", _kind):
            document = {"properties": {"disableLocalAuth": keyless}}
            self._client.accounts.begin_update(group, name, _sent(document), polling=False)

    def key(self, group: str, name: str) -> SecretStr:
        """The account's first key."""
        with explained(f"read the key of the account {name}"):
            return SecretStr(str(self._client.accounts.list_keys(group, name).key1))

    def delete(self, group: str, name: str) -> None:
        """Begin to delete an account without deployments; it can be restored for two days, and keeps its name so long.

        Raises:
            TemporaryRefusal: it still has deployments, or is being changed.
        """
        with explained(f"delete the account {name}", _kind):
            self._client.accounts.begin_delete(group, name, polling=False)

    def deleted(self, name: str) -> list[DeletedAccount]:
        """The soft-deleted accounts of this name, in whatever resource group; none that we may not see.

        Looking at deleted accounts is a right at the subscription: an identity with rights on the resource group alone is refused.
        """
        with explained(f"look for a deleted account {name}"):
            found = unless([403, 404], lambda: list(self._client.deleted_accounts.list())) or ()
        return [_deleted(one) for one in found if str(one.name).lower() == name.lower()]

    def purge(self, found: DeletedAccount) -> None:
        """Begin to remove a soft-deleted account for good: its name and its quota become free. Gone already is fine."""
        with contextlib.suppress(NotFound), explained(f"purge the account {found.name}", _kind):
            self._client.deleted_accounts.begin_purge(found.location, found.group, found.name, polling=False)

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
    def offers(self, location: str) -> list[Offer]:
        """What can be deployed in a region. Raises ``Forbidden`` without a right at the subscription."""
        with explained(f"list the models of {location}"):
            found = [one.model for one in self._client.models.list(location) if one.kind in _KINDS]
        offers = [Offer(model.name, str(model.version or ""), sku.name, sku.usage_name) for model in found for sku in model.skus or ()]
        return list(dict.fromkeys(offers))

    def quotas(self, location: str) -> dict[str, Quota]:
        """The subscription's quotas in a region by their names. Raises ``Forbidden`` without a right at the subscription."""
        with explained(f"read the quotas of {location}"):
            found = list(self._client.usages.list(location))
        return {one.name.value: Quota(int(one.current_value or 0), int(one.limit or 0)) for one in found}


def _account(entry: Any) -> Account:
    properties = entry.properties
    # The first is the account's own address; ``endpoint`` may be the region's, which serves no deployments.
    address = (properties.endpoints or {}).get("OpenAI Language Model Instance API") or properties.endpoint
    addresses = [str(properties.endpoint or ""), *map(str, (properties.endpoints or {}).values())]
    return Account(
        entry.name,
        entry.id,
        normalized(entry.location),
        str(address or "").rstrip("/"),
        str(properties.provisioning_state),
        bool(properties.disable_local_auth),
        dict(entry.tags or {}),
        str(properties.custom_sub_domain_name or ""),
        frozenset(host for address in addresses if (host := urlsplit(address).hostname)),
    )


def _deleted(entry: Any) -> DeletedAccount:
    """Of an id ``/subscriptions/S/providers/Microsoft.CognitiveServices/locations/L/resourceGroups/G/deletedAccounts/N``."""
    group = str(entry.id).split("/")[8]
    until = str(entry.properties.scheduled_purge_date or "")
    return DeletedAccount(entry.name, group, normalized(entry.location), until, dict(entry.tags or {}))


def _deployment(entry: Any) -> Deployment:
    model = entry.properties.model
    capacity, state = int(entry.sku.capacity or 0), str(entry.properties.provisioning_state)
    return Deployment(entry.name, model.name, str(model.version or ""), entry.sku.name, capacity, state)


def _sent(document: Mapping[str, Any]) -> bytes:
    """A body as it is: the SDK's models would add fields of their own."""
    return json.dumps(document).encode()


def _kind(number: int, text: str) -> type[StepError] | None:
    """Codes of Microsoft.CognitiveServices (reports: terraform-provider-azurerm#12258, Azure-Samples/azure-search-openai-demo#2091).

    Deployments that were removed a moment ago are still there for the account: ``CannotDeleteResource`` passes.
    """
    kinds: dict[str, type[StepError]] = {
        **dict.fromkeys(("RequestConflict", "AnotherOperationInProgress", "CannotDeleteResource"), TemporaryRefusal),
        **dict.fromkeys(("FlagMustBeSetForRestore", "CustomDomainInUse"), AlreadyExists),
        "InsufficientQuota": QuotaExceeded,
    }
    return kinds.get(text.split(" ", 1)[0])
