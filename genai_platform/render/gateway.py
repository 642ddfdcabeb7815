"""What API Management and the load balancer agree on: a port, a header, and the routes that are open. Pure.

API Management's v2 and Consumption tiers have no address of their own to admit. So it comes in on a port of its own,
where the load balancer serves the model routes and nothing else, and only with a header that the policy sets.
"""

from __future__ import annotations

from collections.abc import Iterable

from genai_platform.config.settings import Settings
from genai_platform.render import manifests
from genai_platform.render.addresses import GATEWAY, listener
from genai_platform.render.litellm import BACKEND
from genai_platform.render.manifests import Document
from genai_platform.render.secrets import PlatformSecrets

HEADER = "X-Genai-Gateway"
EVERYWHERE = "0.0.0.0/0"
_ROUTES = ("POST /v1/chat/completions", "POST /v1/completions", "POST /v1/embeddings", "POST /v1/responses", "GET /v1/models")
FIXED_ADDRESS_TIERS = frozenset({"Developer", "Basic", "Standard", "Premium"})
"""Microsoft Learn, "IP addresses of Azure API Management": the others come from addresses they share."""
UNVERIFIED = (
    "API Management cannot check the load balancer's certificate, as there is no domain: anyone who answers in its place on the way"
    " gets callers' keys, prompts and the header that opens the port"
)


def notices(settings: Settings) -> list[str]:
    """What people should know before API Management goes in front. One line each."""
    if not settings.azure.enabled:
        return []
    unverified = None if settings.ingress.domain else UNVERIFIED
    return [line for line in (exposure(settings), unverified) if line]


def exposure(settings: Settings) -> str | None:
    """What of the gateway's port is open to whom, when that is not API Management alone. One line, for people."""
    apim, port = settings.azure.apim, settings.ingress.gateway_port
    if not settings.azure.enabled or (apim.existing is None and apim.sku in FIXED_ADDRESS_TIERS):
        return None
    which = f"as API Management {apim.sku} has no fixed one" if apim.existing is None else f"unless {apim.existing} has fixed ones"
    return f"port {port} of the load balancer is open to every address, {which}: the model routes only, and only with the header {HEADER}"


def routes(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The closed list of operations: method and path, sorted."""
    wanted = dict.fromkeys((*_ROUTES, *settings.azure.apim.routes))
    return tuple(sorted((line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in wanted))


def ingress(settings: Settings, secrets: PlatformSecrets, addresses: Iterable[str]) -> list[Document]:
    """The ingress of the gateway.

    Args:
        addresses: API Management's public IPv4 addresses; none where its tier has no fixed ones.
    """
    return manifests.ingress(
        GATEWAY,
        BACKEND,
        listener(settings, GATEWAY),
        [f"{address}/32" for address in addresses] or [EVERYWHERE],
        exact_paths=sorted({path for _, path in routes(settings)}),
        header=(HEADER, secrets.gateway_header.get_secret_value()),
    )
