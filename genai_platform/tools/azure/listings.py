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

    def tagged(self, key: str) -> list[Resource]:
        """Resource groups and resources that carry a tag of this name, with all their tags."""
        # A list that is filtered by tag leaves the tags out (Resources - List): it is filtered here.
        groups = self._rest.pages(f"{self._root}/resourcegroups", "list the resource groups", _RESOURCES)
        query = _RESOURCES | {"$expand": "createdTime"}
        resources = self._rest.pages(f"{self._root}/resources", "list the resources", query)
        return [_resource(one) for listing in (groups, resources) for one in listing if key in (one.get("tags") or {})]


def _resource(found: Body) -> Resource:
    created = found.get("createdTime")
    return Resource(
        id=str(found["id"]), type=str(found["type"]), location=str(found.get("location", "")),
        sku=str((found.get("sku") or {}).get("name", "")), tags={str(key): str(value) for key, value in found["tags"].items()},
        created=datetime.fromisoformat(str(created)) if created else None,
    )  # fmt: skip
