"""What an API Management service that existed before must be like: it is used as it is, along with what others have in it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from genai_platform.errors import ConfigError, MissingError, StepError
from genai_platform.render.policy import parse
from genai_platform.steps.azure import lookup, rights
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import Service

_OTHER_REQUESTS = ("send-request", "send-one-way-request")


def fit(clients: Clients) -> str:
    """Whether the service that ``azure.apim.existing`` names can be used.

    Raises:
        ConfigError: its tier cannot do what is configured.
        MissingError: there is none, it has no identity, or we may not change it.
        StepError: another API has the path, or its global policy would break ours.
    """
    wanted = clients.target.settings.azure.apim.existing
    service = lookup.find_service(clients)
    if service is None:
        raise MissingError(
            f"azure.apim.existing: there is no API Management service '{wanted}' in this subscription",
            remedy="correct the name: az apim list --query '[].name'",
            id="azure.no_service",
        )
    refuse_tier(clients, service)
    lookup.need_principal(service)
    _may_change(clients, service)
    refuse_path(clients, service)
    refuse_global_policy(clients, service)
    return f"{service.name} ({service.sku}) can be used"


def refuse_tier(clients: Clients, service: Service) -> None:
    """Consumption has neither the built-in cache nor streaming."""
    apim = clients.target.settings.azure.apim
    wants = "streaming" if apim.streaming else "the cache of per-caller keys" if apim.keys == "per-caller" else None
    if service.sku == "Consumption" and wants:
        raise ConfigError(
            f"azure.apim.existing: {service.name} is of the tier Consumption, which cannot be used with {wants}",
            remedy="name a service of another tier; or set azure.apim.streaming to false and azure.apim.keys to 'shared'",
            id="config.consumption",
        )


def _may_change(clients: Clients, service: Service) -> None:
    if not clients.azure.arm.may(service.id, "Microsoft.ApiManagement/service/apis/write"):
        raise MissingError(
            f"{clients.azure.identity.name} may not make APIs in {service.name}",
            remedy=rights.grant(clients, "API Management Service Contributor", service.id),
            id="azure.rights",
        )


def refuse_path(clients: Clients, service: Service) -> None:
    """Raise ``StepError`` when the path belongs to an API that is not this environment's."""
    path, ours = clients.target.settings.azure.apim.path, lookup.object_name(clients.target, "api")
    for other in clients.azure.apim.apis(service):
        if other.path == path and other.id != ours:
            raise StepError(
                f"the path '{path}' of {service.name} belongs to the API '{other.id}'",
                remedy="set azure.apim.path to another one",
                id="azure.path_taken",
            )


def refuse_global_policy(clients: Clients, service: Service) -> None:
    """Raise ``StepError`` when a policy of the whole service writes Authorization: tokens would be replaced before they are validated."""
    text = clients.azure.apim.policy(service, None)
    writes = next(_writers(clients, service, text), None) if text else None
    if writes:
        raise StepError(
            f"the global policy of {service.name} sets Authorization (<{writes}>): "
            "the callers' tokens would be replaced before they are validated",
            remedy="move that into the APIs that need it, or name another service in azure.apim.existing",
            id="azure.global_policy",
        )


def _writers(clients: Clients, service: Service, text: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The elements that set Authorization on the way in, those of included fragments too."""
    try:
        root = parse(text)
    except ValueError:
        raise StepError(
            f"the global policy of {service.name} cannot be read: whether it sets Authorization is not known",
            remedy="save it once in the portal, then run the same command again",
            id="azure.global_policy",
        ) from None
    for element in _elements(root.find("inbound") if root.tag == "policies" else root):
        if element.tag == "include-fragment":
            name = element.get("fragment-id", "")
            fragment = clients.azure.apim.fragment(service, name) if name not in seen else None
            if fragment:
                yield from _writers(clients, service, fragment, seen | {name})
        elif _writes(element):
            yield element.tag


def _elements(root: Element | None) -> Iterator[Element]:
    """Everything below an element but the parts of requests that a policy sends itself."""
    for child in root if root is not None else ():
        if child.tag not in _OTHER_REQUESTS:
            yield child
            yield from _elements(child)


def _writes(element: Element) -> bool:
    if element.tag == "set-header":
        return element.get("name", "").lower() == "authorization"
    if element.tag == "authentication-managed-identity":
        return "output-token-variable-name" not in element.attrib
    return element.tag == "authentication-basic"
