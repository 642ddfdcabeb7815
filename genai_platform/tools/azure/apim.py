"""API Management: services, their soft delete, and the objects inside one.

Long-running operations are begun without the SDK's poller and watched by reading the object: the poller ends in
"No status found in body" whenever the service answers with an ``Azure-AsyncOperation`` address.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from genai_platform.errors import StepError
from genai_platform.tools.azure.conflicts import LOCKED, Writes
from genai_platform.tools.azure.errors import code, explained, named, taken, unless
from genai_platform.tools.azure.pipeline import management_client, normalized
from genai_platform.tools.azure.vaults import SoftDeleted

KEY_HEADER = "x-genai-unused-subscription-key"
"""API Management refuses an invalid subscription key even where none is required; under this name nobody sends one."""
PASSING = frozenset({"Created", "Activating", "Updating", "Terminating"})
"""States of a service that end by themselves."""
FAILED = frozenset({"Failed", "ActivationFailed", "TerminationFailed"})
"""States of a service that nothing can be deployed over: it has to be deleted."""
_BUSY = ("ServiceLocked", LOCKED)
"""Codes of a 409 while an operation on the service itself is under way."""


class ServiceBusy(StepError):
    """The service is occupied with an earlier operation, and takes the request once that has ended."""


class SkuUnavailable(StepError):
    """The region has no service of this SKU to give now, or the subscription's quota is used up."""


class AuthorityUnreadable(StepError):
    """The service could not read the authority's OpenID configuration, which it does while it takes a policy."""


_NO_SKU = re.compile(r"capacity|skunotavailable|not available|quota", re.IGNORECASE)
"""What Resource Manager says of a SKU that cannot be had: codes differ by SKU and region."""


@dataclass(frozen=True)
class Service:
    """One API Management service."""

    name: str
    group: str
    id: str
    location: str
    state: str
    gateway: str
    sku: str
    principal: str | None
    """Object id of the system-assigned identity."""
    tags: Mapping[str, str]
    addresses: tuple[str, ...]
    """Fixed public addresses, in the tiers that have them."""


@dataclass(frozen=True)
class Api:
    """One API of a service."""

    id: str
    path: str
    operations: tuple[tuple[str, str], ...] = ()
    subscription_required: bool = True
    key_header: str = ""


class Apim:
    """The API Management services of a subscription."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure
        self.writes = Writes(azure.target.endpoints)

    @cached_property
    def client(self) -> Any:
        """The SDK's client."""
        from azure.mgmt.apimanagement import ApiManagementClient

        interval = 15 if self._azure.target.endpoints.real else 0.2
        return management_client(ApiManagementClient, self._azure, polling_interval=interval)

    # -- services ---------------------------------------------------------------------------------
    def service(self, group: str, name: str) -> Service | None:
        """One service; None when there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        with explained(f"read the API Management service {name}"):
            try:
                return _service(self.client.api_management_service.get(group, name))
            except ResourceNotFoundError:
                return None

    def in_group(self, group: str) -> list[Service]:
        """The services of a resource group; none when the group does not exist."""
        return self._listed(f"list the API Management services of {group}", "list_by_resource_group", group)

    def every(self) -> list[Service]:
        """The services of the subscription."""
        return self._listed("list the API Management services", "list")

    def find(self, name: str) -> Service | None:
        """A service of this name in any resource group of the subscription."""
        return next((entry for entry in self.every() if entry.name.lower() == name.lower()), None)

    def _listed(self, what: str, method: str, *at: str) -> list[Service]:
        """A list of services; an empty one where the group does not exist, or where the subscription never had any."""
        with explained(what):
            found = unless([404], lambda: list(getattr(self.client.api_management_service, method)(*at))) or ()
            return [_service(entry) for entry in found]

    def available(self, name: str) -> str | None:
        """None when the name is free everywhere, else why not; empty when it cannot be asked: that is a right at the subscription."""
        with explained(f"ask whether the service name {name} is free"):
            return taken(lambda: self.client.api_management_service.check_name_availability({"name": name}))

    def deleted(self, name: str) -> SoftDeleted | None:
        """The soft-deleted service of this name, in whatever region; None when there is none, or none that we may see.

        Looking at deleted services is a right at the subscription: an identity with rights on the resource group alone is refused.
        """
        with explained(f"look for a deleted service {name}"):
            found = named(name, self.client.deleted_services.list_by_subscription)
        if found is None:
            return None
        held, location = properties(found), normalized(str(_document(found).get("location") or ""))
        return SoftDeleted(name, location, str(held.get("scheduledPurgeDate") or ""), str(held.get("serviceId") or ""))

    def begin(self, group: str, name: str, body: dict[str, Any]) -> None:
        """Begin to make, change or restore a service; ``service`` tells how far it is.

        Raises:
            ServiceBusy: an earlier operation on it is under way.
            SkuUnavailable: the SKU cannot be had in this region now.
        """
        with explained(f"make the API Management service {name}", _kind_of_begin), busy(name):
            self.client.api_management_service.begin_create_or_update(group, name, body, polling=False)

    def begin_delete(self, group: str, name: str) -> None:
        """Begin to delete a service.

        Raises:
            ServiceBusy: an earlier operation on it is under way.
        """
        with explained(f"delete the API Management service {name}"), busy(name):
            self.client.api_management_service.begin_delete(group, name, polling=False)

    def begin_purge(self, name: str, location: str) -> None:
        """Begin to remove a soft-deleted service for good."""
        with explained(f"purge the API Management service {name}"):
            self.client.deleted_services.begin_purge(name, location, polling=False)

    # -- inside a service ---------------------------------------------------------------------------
    def backend(self, at: Service, name: str) -> str | None:
        """A backend's address; None when there is none."""
        found = self._get(self.client.backend, at, name)
        return None if found is None else str(properties(found).get("url", ""))

    def put_backend(self, at: Service, name: str, url: str, *, verified: bool) -> None:
        """A backend; ``verified`` says whether its certificate is one that everybody can check."""
        from azure.mgmt.apimanagement import models

        # A model, since a dictionary's `properties` would also be taken for the contract's own field of that name.
        tls = models.BackendTlsProperties(validate_certificate_chain=verified, validate_certificate_name=verified)
        body = models.BackendContract(url=url, protocol="http", description="LiteLLM behind its load balancer", tls=tls)
        with explained(f"make the backend {name}"):
            self.writes.send(lambda: self.client.backend.create_or_update(at.group, at.name, name, body))

    def apis(self, at: Service) -> list[Api]:
        """Every API of a service, without operations."""
        with explained(f"list the APIs of {at.name}"):
            return [_api(entry) for entry in self.client.api.list_by_service(at.group, at.name)]

    def api(self, at: Service, name: str) -> Api | None:
        """One API with its operations; None when there is none."""
        found = self._get(self.client.api, at, name)
        if found is None:
            return None
        with explained(f"list the operations of {name}"):
            operations = [properties(entry) for entry in self.client.api_operation.list_by_api(at.group, at.name, name)]
        return _api(found, tuple(sorted((str(entry["method"]), str(entry["urlTemplate"])) for entry in operations)))

    def put_api(self, at: Service, name: str, path: str, url: str) -> None:
        """Begin to make an API without subscription key and product; ``api`` tells when it is there."""
        wanted = {
            "displayName": name, "path": path, "protocols": ["https"], "serviceUrl": url, "type": "http",
            "subscriptionRequired": False, "subscriptionKeyParameterNames": {"header": KEY_HEADER, "query": KEY_HEADER},
        }  # fmt: skip
        with explained(f"make the API {name}"):
            body = {"properties": wanted}
            self.writes.send(lambda: self.client.api.begin_create_or_update(at.group, at.name, name, body, polling=False))

    def put_operation(self, at: Service, api: str, id: str, method: str, template: str) -> None:
        body = {"properties": {"displayName": f"{method} {template}", "method": method, "urlTemplate": template}}
        with explained(f"make the operation {method} {template}"):
            self.writes.send(lambda: self.client.api_operation.create_or_update(at.group, at.name, api, id, body))

    def operation_ids(self, at: Service, api: str) -> dict[str, tuple[str, str]]:
        """Identifier of each operation to its method and template."""
        with explained(f"list the operations of {api}"):
            found = list(self.client.api_operation.list_by_api(at.group, at.name, api))
        return {str(entry.name): (str(properties(entry)["method"]), str(properties(entry)["urlTemplate"])) for entry in found}

    def delete_operation(self, at: Service, api: str, id: str) -> None:
        with explained(f"delete the operation {id}"):
            self.writes.send(lambda: self.client.api_operation.delete(at.group, at.name, api, id, "*"))

    def policy(self, at: Service, api: str | None) -> str | None:
        """The policy of an API, or with None the service's own; None when there is none."""
        kind, inside = (self.client.policy, ()) if api is None else (self.client.api_policy, (api,))
        with explained("read a policy"):
            found = unless([404], lambda: kind.get(at.group, at.name, *inside, "policy"))
        return None if found is None else str(properties(found)["value"])

    def fragment(self, at: Service, name: str) -> str | None:
        """A fragment that policies include; None when there is none."""
        found = self._get(self.client.policy_fragment, at, name)
        return None if found is None else str(properties(found)["value"])

    def put_policy(self, at: Service, api: str, text: str) -> None:
        """Set an API's policy. Raises ``AuthorityUnreadable`` where the same request may be accepted a moment later."""
        with explained(f"set the policy of {api}", _kind_of_policy):
            body = {"properties": {"format": "xml", "value": text}}
            self.writes.send(lambda: self.client.api_policy.create_or_update(at.group, at.name, api, "policy", body))

    def delete_policy(self, at: Service, api: str) -> None:
        self._delete(lambda: self.client.api_policy.delete(at.group, at.name, api, "policy", "*"), f"delete the policy of {api}")

    def delete_api(self, at: Service, name: str) -> None:
        """Begin to delete an API with everything in it."""
        delete = lambda: self.client.api.begin_delete(at.group, at.name, name, "*", delete_revisions=True, polling=False)  # noqa: E731
        self._delete(delete, f"delete the API {name}")

    def delete_backend(self, at: Service, name: str) -> None:
        self._delete(lambda: self.client.backend.delete(at.group, at.name, name, "*"), f"delete the backend {name}")

    def _get(self, kind: Any, at: Service, name: str) -> Any:
        with explained(f"read {name} of {at.name}"):
            return unless([404], lambda: kind.get(at.group, at.name, name))

    def _delete(self, delete: Callable[[], object], what: str) -> None:
        with explained(what):
            unless([404], lambda: self.writes.send(delete))


def _kind_of_begin(number: int, text: str) -> type[StepError] | None:
    return SkuUnavailable if _NO_SKU.search(text) else None


def _kind_of_policy(number: int, text: str) -> type[StepError] | None:
    """The service says which address it could not read, and has no code of its own for that."""
    return AuthorityUnreadable if "openid" in text.lower() else None


@contextlib.contextmanager
def busy(name: str) -> Iterator[None]:
    """Tell a service that is occupied from one that refuses."""
    from azure.core.exceptions import HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        if error.status_code != 409 or not any(word in f"{code(error)} {error.message}" for word in _BUSY):
            raise
        raise ServiceBusy(
            f"the API Management service {name} is busy with an earlier operation",
            remedy="run the same command again in some minutes",
            id="azure.busy",
        ) from None


def properties(entry: Any) -> dict[str, Any]:
    """The ``properties`` of an object, under the service's own names."""
    found = _document(entry).get("properties")
    return dict(found) if isinstance(found, Mapping) else {}


def _document(entry: Any) -> dict[str, Any]:
    """What was answered, under its own names (``as_dict`` renames and flattens it)."""
    document = entry.serialize(keep_readonly=True)
    if not isinstance(document, dict):
        raise StepError("API Management answered in another form", id="azure.form")
    return document


def _service(entry: Any) -> Service:
    document, held = _document(entry), properties(entry)
    return Service(
        name=str(document["name"]),
        group=str(document["id"]).split("/")[4],
        id=str(document["id"]),
        location=normalized(str(document.get("location") or "")),
        state=str(held.get("provisioningState") or ""),
        gateway=str(held.get("gatewayUrl") or ""),
        sku=str((document.get("sku") or {}).get("name") or ""),
        principal=(document.get("identity") or {}).get("principalId"),
        tags=dict(document.get("tags") or {}),
        addresses=tuple(held.get("publicIPAddresses") or ()),
    )


def _api(entry: Any, operations: tuple[tuple[str, str], ...] = ()) -> Api:
    held = properties(entry)
    return Api(
        id=str(entry.name),
        path=str(held.get("path") or "").strip("/"),
        operations=operations,
        subscription_required=bool(held.get("subscriptionRequired", True)),
        key_header=str((held.get("subscriptionKeyParameterNames") or {}).get("header") or ""),
    )
