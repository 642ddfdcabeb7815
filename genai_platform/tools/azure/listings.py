"""What exists in a subscription, for those who choose among it or look through all of it: it only lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from genai_platform.tools.azure.credentials import ARM_SCOPE
from genai_platform.tools.azure.rest import Body, Rest

if TYPE_CHECKING:
    from genai_platform.tools.azure import Azure

_SUBSCRIPTIONS = {"api-version": "2022-12-01"}
_RESOURCES = {"api-version": "2021-04-01"}
_ACCOUNTS = {"api-version": "2024-10-01"}
_OPENAI_KINDS = frozenset({"OpenAI", "AIServices"})
"""Kinds of Cognitive Services accounts that have Azure OpenAI deployments (Microsoft Learn, "Azure OpenAI in Foundry Models")."""


@dataclass(frozen=True)
class OpenAiAccount:
    """An Azure OpenAI resource."""

    id: str
    name: str
    location: str
    endpoint: str
    """``https://NAME.openai.azure.com``, without a slash at the end."""


@dataclass(frozen=True)
class Deployment:
    """A model that an Azure OpenAI resource has deployed."""

    name: str
    model: str
    sku: str
    """How it is paid, e.g. ``Standard`` (by the token) or ``ProvisionedManaged`` (by the hour)."""


@dataclass(frozen=True)
class Resource:
    """A resource or a resource group."""

    id: str
    type: str
    location: str
    sku: str
    tags: dict[str, str]
    created: datetime | None
    """None: Azure does not tell."""


class Listings:
    """One subscription's; every method raises ``GenaiError`` when Azure could not be asked."""

    def __init__(self, azure: Azure) -> None:
        self._root = f"/subscriptions/{azure.subscription}"
        self._rest = Rest(azure.target.endpoints.azure.arm, ARM_SCOPE, azure.credential, azure.target.endpoints)

    def subscriptions(self) -> dict[str, str]:
        """The display name by the identifier: every subscription of the tenant that is enabled and that we may see."""
        found = self._rest.pages("/subscriptions", "list the subscriptions", _SUBSCRIPTIONS)
        return {
            str(one["subscriptionId"]): str(one.get("displayName") or one["subscriptionId"])
            for one in found
            if one.get("state") == "Enabled"
        }

    def locations(self) -> dict[str, str]:
        """The display name by the name: the regions that the subscription may use, without logical ones such as ``europe``."""
        found = self._rest.pages(f"{self._root}/locations", "list Azure's regions", _SUBSCRIPTIONS)
        return {
            str(one["name"]): str(one.get("displayName") or one["name"])
            for one in found
            if (one.get("metadata") or {}).get("regionType", "Physical") == "Physical"
        }

    def openai_accounts(self) -> list[OpenAiAccount]:
        """The Azure OpenAI resources."""
        path = f"{self._root}/providers/Microsoft.CognitiveServices/accounts"
        found = self._rest.pages(path, "list the Azure OpenAI resources", _ACCOUNTS)
        return [_account(one) for one in found if one.get("kind") in _OPENAI_KINDS]

    def deployments(self, account: OpenAiAccount) -> list[Deployment]:
        """What an Azure OpenAI resource has deployed."""
        found = self._rest.pages(f"{account.id}/deployments", f"list the deployments of {account.name}", _ACCOUNTS)
        return [
            Deployment(str(one["name"]), str(one["properties"]["model"]["name"]), str((one.get("sku") or {}).get("name", "")))
            for one in found
        ]

    def tagged(self, key: str) -> list[Resource]:
        """Resource groups and resources that carry a tag of this name, with all their tags."""
        # A list that is filtered by tag leaves the tags out (Resources - List): it is filtered here.
        groups = self._rest.pages(f"{self._root}/resourcegroups", "list the resource groups", _RESOURCES)
        query = _RESOURCES | {"$expand": "createdTime"}
        resources = self._rest.pages(f"{self._root}/resources", "list the resources", query)
        return [_resource(one) for listing in (groups, resources) for one in listing if key in (one.get("tags") or {})]


def _account(found: Body) -> OpenAiAccount:
    properties = found.get("properties") or {}
    # The first is the resource's own address; ``endpoint`` may be the region's, which serves no deployments.
    endpoints = properties.get("endpoints") or {}
    address = endpoints.get("OpenAI Language Model Instance API") or properties.get("endpoint") or ""
    return OpenAiAccount(str(found["id"]), str(found["name"]), str(found.get("location", "")), str(address).rstrip("/"))


def _resource(found: Body) -> Resource:
    created = found.get("createdTime")
    return Resource(
        str(found["id"]),
        str(found["type"]),
        str(found.get("location", "")),
        str((found.get("sku") or {}).get("name", "")),
        {str(key): str(value) for key, value in found["tags"].items()},
        datetime.fromisoformat(str(created).replace("Z", "+00:00")) if created else None,
    )
