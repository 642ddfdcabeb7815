"""The API Management policy: from typed values to text, and from text to a form that can be compared.

API Management evaluates ``@(...)`` and substitutes ``{{...}}`` wherever they occur, whatever XML escaping was used. So
only typed values enter: GUIDs, https addresses, hosts, integers and identifiers. ``policies/caller.xml.j2`` has its own
delimiters, and what comes out is checked again by ``faults`` before it is sent.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genai_platform.config.files import shipped
from genai_platform.render import gateway
from genai_platform.render import policy_forms as forms

FOREIGN_KEY_HEADERS = ("x-litellm-api-key", "API-Key", "x-api-key", "x-goog-api-key", "X-Litellm-Key")
"""LiteLLM reads a key from each of these before or in addition to Authorization; a caller must not choose the key."""
OTHER_HEADERS = 16
"""So many other headers that begin with ``x-litellm-`` are deleted; a request with more is refused, since a policy has no loops."""
PROVIDER_PREFIX = "llm_provider-"
"""Before each header that LiteLLM passes on from the model's provider. Its own refusals, of a virtual key for instance, have none."""
INNER_HEADERS = (
    "attempted-fallbacks", "attempted-retries", "call-id", "callback-duration-ms", "key-spend", "model-api-base", "model-group",
    "model-id", "model-name", "overhead-duration-ms", "response-cost", "response-cost-discount-amount", "response-cost-input",
    "response-cost-margin-amount", "response-cost-margin-percent", "response-cost-original", "response-cost-output",
    "response-cost-tool-usage", "response-duration-ms", "timeout", "version",
)  # fmt: skip
"""Headers ``x-litellm-…`` of an answer of LiteLLM 1.106.2; they tell prices, spend and the address of the Azure OpenAI resource."""
OTHER_INNER_HEADERS = 6
"""So many further ones are removed by their prefix: a policy has no loops."""
PROVIDER_HEADERS = {"per-caller": 32, "shared": 16}
"""So many ``llm_provider-…`` are removed. Fewer with one key for all: Consumption, which needs that, takes a policy of 16 KiB at most."""
CORS_HEADERS = ("access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers")
"""LiteLLM admits every origin; browsers are not offered."""

_REVISION = 12
CACHE_SECONDS = 300
APP_ROLE = "Genai.Call"

_HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,79}")


@dataclass(frozen=True)
class PolicyValues:
    """Everything the policy depends on.

    Raises ``ValueError`` on construction when a value does not have its type's form.
    """

    environment: str
    authority: str
    """``https://login.microsoftonline.com`` or another authority, without tenant."""
    tenant_id: str
    audience: str
    """Client id of the API's application (a v2 token's audience)."""
    vault_name: str
    vault_url: str
    backend_id: str
    mode: Literal["per-caller", "shared"] = "per-caller"
    named_value: str = "genai-shared-key"
    """In shared mode: the named value that holds the key."""
    gateway_value: str = "genai-gateway"
    """The named value that holds what the load balancer demands."""
    vault_resource: str = "https://vault.azure.net"

    def __post_init__(self) -> None:
        for field in ("tenant_id", "audience"):
            UUID(getattr(self, field))
        for field in ("authority", "vault_url", "vault_resource"):
            if not _HTTPS.fullmatch(getattr(self, field)):
                raise ValueError(f"{field}: '{getattr(self, field)}' is not an https address")
        for field in ("environment", "vault_name", "backend_id", "named_value", "gateway_value"):
            if not _IDENTIFIER.fullmatch(getattr(self, field)):
                raise ValueError(f"{field}: '{getattr(self, field)}' is not an identifier")


def render_policy(values: PolicyValues) -> str:
    """The policy document as well-formed XML (to be sent with ``format="xml"``). The same values give the same bytes.

    Its revision, the first digits of its own SHA-256, is in the answer to a request without a token: by it anyone who changed
    the policy sees when the gateway serves it.
    """
    blank = _rendered(values, "0" * _REVISION)
    return blank.replace("0" * _REVISION, hashlib.sha256(blank.encode()).hexdigest()[:_REVISION], 1)


def revision(text: str) -> str:
    """The revision of a policy made by ``render_policy``."""
    found = re.search(rf"Policy ([0-9a-f]{{{_REVISION}}})\.", text)
    if found is None:
        raise ValueError("the policy has no revision")
    return found[1]


def _rendered(values: PolicyValues, revision: str) -> str:
    expressions = {
        "foreign_headers": forms.ANY_HEADER.fill(names=", ".join(f'"{name}"' for name in FOREIGN_KEY_HEADERS)),
        "litellm_header": forms.HEADER_PREFIX.fill(message="Request", prefix="x-litellm-"),
        "next_litellm_header": forms.FIRST_HEADER.fill(message="Request", prefix="x-litellm-", prefix2="x-litellm-"),
        "caller": forms.CLAIM_GUID.fill(variable="token", claim="azp"),
        "no_caller": forms.VARIABLE_IS.fill(variable="caller", text=""),
        "cache_key": forms.JOIN.fill(before=f"genai:{values.environment}:{values.vault_name}:", variable="caller", after=""),
        "not_cached": forms.VARIABLE_EMPTY.fill(variable="virtual-key", variable2="virtual-key"),
        "secret_url": forms.JOIN.fill(before=f"{values.vault_url}/secrets/litellm-", variable="caller", after="?api-version=7.4"),
        "verdict": forms.SECRET_VERDICT.fill(),
        "denied": forms.VARIABLE_IS.fill(variable="verdict", text="denied"),
        "unavailable": forms.VARIABLE_IS.fill(variable="verdict", text="unavailable"),
        "virtual_key": forms.SECRET_VALUE.fill(),
        "key_to_store": forms.VARIABLE.fill(variable="virtual-key"),
        "lifetime": forms.SECRET_LIFETIME.fill(limit=str(CACHE_SECONDS), limit2=str(CACHE_SECONDS)),
        "no_key": forms.VARIABLE_EMPTY.fill(variable="virtual-key", variable2="virtual-key"),
        "authorization": forms.BEARER.fill(variable="virtual-key"),
        "from_provider": forms.HEADER_PREFIX.fill(message="Response", prefix=PROVIDER_PREFIX),
        "next_provider_header": forms.FIRST_HEADER.fill(message="Response", prefix=PROVIDER_PREFIX, prefix2=PROVIDER_PREFIX),
        "next_inner_header": forms.FIRST_HEADER.fill(message="Response", prefix="x-litellm-", prefix2="x-litellm-"),
        "has_call_id": forms.HEADER_PREFIX.fill(message="Response", prefix="x-litellm-call-id"),
        "call_id": forms.RESPONSE_HEADER.fill(header="x-litellm-call-id"),
        "unauthorized": forms.RESPONSE_STATUS.fill(status="401"),
    }
    issuer = f"{values.authority}/{UUID(values.tenant_id)}/v2.0"
    plain: dict[str, Any] = {
        "mode": values.mode,
        "revision": revision,
        "others": OTHER_HEADERS,
        "inner": [f"x-litellm-{name}" for name in INNER_HEADERS],
        "other_inner": OTHER_INNER_HEADERS,
        "provider": PROVIDER_HEADERS[values.mode],
        "cors": [*CORS_HEADERS],
        "openid_config": f"{issuer}/.well-known/openid-configuration",
        "audience": str(UUID(values.audience)),
        "issuer": issuer,
        "role": APP_ROLE,
        "vault_resource": values.vault_resource,
        "backend": values.backend_id,
        "named_value": values.named_value,
        "gateway_header": gateway.HEADER,
        "gateway_value": values.gateway_value,
    }
    environment = Environment(
        loader=FileSystemLoader(shipped("policies")), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]",
    )  # fmt: skip
    return environment.get_template("caller.xml.j2").render(**expressions, **plain)


def same_policy(left: str, right: str) -> bool:
    """Whether two policies are the same once parsed: the service returns them with other white space and entities.

    Raises:
        ValueError: one of them is not well-formed XML.
    """
    return _normal(parse(left)) == _normal(parse(right))


def faults(text: str) -> list[str]:
    """What is wrong with a policy before it is sent: XML, sections and their order, child order, expression forms."""
    try:
        root = parse(text)
    except ValueError as error:
        return [str(error)]
    found: list[str] = []
    if root.tag != "policies" or [section.tag for section in root] != ["inbound", "backend", "outbound", "on-error"]:
        found.append("a policy holds <policies> with inbound, backend, outbound and on-error, in this order")
    for element in root.iter():
        found += _wrong_order(element)
        for where, value in [*element.attrib.items(), ("text", (element.text or "").strip())]:
            if value.startswith("@") and forms.recognise(value) is None:
                found.append(f"<{element.tag}> {where}: an expression of no known form: {value[:80]}")
            elif not value.startswith("@") and re.search(r"@[({]", value):
                found.append(f"<{element.tag}> {where}: an expression inside text: {value[:80]}")
    return found


_ORDER = {
    "validate-jwt": ("openid-config", "issuer-signing-keys", "decryption-keys", "audiences", "issuers", "required-claims"),
    "send-request": ("set-url", "set-method", "set-header", "set-body", "authentication-certificate", "authentication-managed-identity"),
    "return-response": ("set-status", "set-header", "set-body"),
    "choose": ("when", "otherwise"),
}
"""Documented child order (policy reference of API Management, read November 2026)."""


def _wrong_order(element: Element) -> list[str]:
    order = _ORDER.get(element.tag)
    if order is None:
        return []
    children = [child.tag for child in element]
    unknown = [tag for tag in children if tag not in order]
    if unknown:
        return [f"<{element.tag}> does not take <{unknown[0]}>"]
    places = [order.index(tag) for tag in children]
    return [] if places == sorted(places) else [f"<{element.tag}>: children must come in the order {', '.join(order)}"]


def parse(text: str) -> Element:
    """The document of a policy or fragment. Raises ``ValueError``."""
    try:
        root: Element = defusedxml.ElementTree.fromstring(text)
    except (defusedxml.ElementTree.ParseError, defusedxml.DefusedXmlException) as error:
        raise ValueError(f"the policy is not well-formed XML: {error}") from None
    return root


def _normal(element: Element) -> object:
    return (element.tag, sorted(element.attrib.items()), " ".join((element.text or "").split()), [_normal(child) for child in element])
