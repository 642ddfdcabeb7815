"""What an API Management service that existed before must be like: it is used as it is, beside what others have in it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import defusedxml.ElementTree

from genai_platform.errors import ConfigError, MissingError, StepError
from genai_platform.steps.azure import site
from genai_platform.steps.doors import Doors
from genai_platform.tools.azure.apim import Service

_OTHER_REQUESTS = ("send-request", "send-one-way-request")


def fit(doors: Doors) -> str:
    """Whether the service that ``azure.apim.existing`` names can be used.

    Raises:
        ConfigError: its tier cannot do what is configured.
        MissingError: there is none, it has no identity, or we may not change it.
        StepError: another API has the path, or its global policy would break ours.
    """
    wanted = doors.target.settings.azure.apim.existing
    service = site.find_service(doors)
    if service is None:
        raise MissingError(
            f"azure.apim.existing: there is no API Management service '{wanted}' in this subscription",
            remedy="correct the name: az apim list --query '[].name'",
            id="azure.no_service",
        )
    refuse_tier(doors, service)
    site.need_principal(service)
    _may_change(doors, service)
    refuse_path(doors, service)
    refuse_global_policy(doors, service)
    return f"{service.name} ({service.sku}) can be used"


def refuse_tier(doors: Doors, service: Service) -> None:
    """Consumption has neither the built-in cache nor streaming."""
    apim = doors.target.settings.azure.apim
    wants = "streaming" if apim.streaming else "the cache of per-caller keys" if apim.keys == "per-caller" else None
    if service.sku == "Consumption" and wants:
        raise ConfigError(
            f"azure.apim.existing: {service.name} is of the tier Consumption, which cannot be used with {wants}",
            remedy="name a service of another tier; or set azure.apim.streaming to false and azure.apim.keys to 'shared'",
            id="config.consumption",
        )


def _may_change(doors: Doors, service: Service) -> None:
    if not doors.azure.arm.may(service.id, "Microsoft.ApiManagement/service/apis/write"):
        who = doors.azure.identity
        raise MissingError(
            f"{who.name} may not make APIs in {service.name}",
            remedy=f'az role assignment create --role "API Management Service Contributor" --assignee-object-id {who.object_id} '
            f"--assignee-principal-type {who.kind} --scope {service.id}",
            id="azure.rights",
        )


def refuse_path(doors: Doors, service: Service) -> None:
    """Raise ``StepError`` when the path belongs to an API that is not this environment's."""
    path, ours = doors.target.settings.azure.apim.path, site.object_name(doors.target, "api")
    for other in doors.azure.apim.apis(service):
        if other.path == path and other.id != ours:
            raise StepError(
                f"the path '{path}' of {service.name} belongs to the API '{other.id}'",
                remedy="set azure.apim.path to another one",
                id="azure.path_taken",
            )


def refuse_global_policy(doors: Doors, service: Service) -> None:
    """Raise ``StepError`` when a policy of the whole service writes Authorization: tokens would be replaced before they are validated."""
    text = doors.azure.apim.policy(service, None)
    writes = next(_writers(doors, service, text), None) if text else None
    if writes:
        raise StepError(
            f"the global policy of {service.name} sets Authorization (<{writes}>): "
            "the callers' tokens would be replaced before they are validated",
            remedy="move that into the APIs that need it, or name another service in azure.apim.existing",
            id="azure.global_policy",
        )


def _writers(doors: Doors, service: Service, text: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The elements that set Authorization on the way in, those of included fragments too."""
    try:
        root: Element = defusedxml.ElementTree.fromstring(text)
    except (defusedxml.ElementTree.ParseError, defusedxml.DefusedXmlException):
        raise StepError(
            f"the global policy of {service.name} cannot be read: whether it sets Authorization is not known",
            remedy="save it once in the portal, then run the same command again",
            id="azure.global_policy",
        ) from None
    for element in _elements(root.find("inbound") if root.tag == "policies" else root):
        if element.tag == "include-fragment":
            name = element.get("fragment-id", "")
            fragment = doors.azure.apim.fragment(service, name) if name not in seen else None
            if fragment:
                yield from _writers(doors, service, fragment, seen | {name})
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
