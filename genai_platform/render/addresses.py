"""Public addresses: from settings and what an Ingress says about its load balancer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.config.settings import Settings

GATEWAY = "litellm-gateway"
"""The ingress through which API Management comes in. The others are called like their applications."""


def tls(settings: Settings) -> bool:
    return settings.ingress.tls == "auto"


def protection(settings: Settings) -> str:
    """How far LiteLLM's and Langfuse's addresses are protected, where that is less than usual; empty with a domain."""
    if not tls(settings):
        return "not encrypted"
    return "" if settings.ingress.domain else "encrypted, not authenticated by name"


def litellm_port(settings: Settings) -> int:
    return settings.ingress.litellm_port or (443 if tls(settings) else 80)


def langfuse_port(settings: Settings) -> int:
    default = 3000 if not tls(settings) else 443 if settings.ingress.domain else 8443
    return settings.ingress.langfuse_port or default


def litellm_host(settings: Settings) -> str | None:
    """The host name with a domain, else ``None``: the load balancer's own name."""
    return f"litellm.{settings.ingress.domain}" if settings.ingress.domain else None


def langfuse_host(settings: Settings) -> str | None:
    return f"langfuse.{settings.ingress.domain}" if settings.ingress.domain else None


def load_balancer(ingress: Mapping[str, Any] | None) -> str | None:
    """The name or address in an Ingress's status; ``None`` while there is none."""
    points = (((ingress or {}).get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return next((found for point in points if (found := point.get("hostname") or point.get("ip"))), None)


def litellm_url(settings: Settings, ingress: Mapping[str, Any] | None) -> str | None:
    """LiteLLM's public address; ``None`` while the load balancer has no name."""
    return _url(settings, litellm_host(settings), litellm_port(settings), ingress)


def gateway_url(settings: Settings, ingress: Mapping[str, Any] | None) -> str | None:
    """LiteLLM's address for API Management; ``None`` while the load balancer has no name."""
    return _url(settings, litellm_host(settings), settings.ingress.gateway_port, ingress)


def langfuse_url(settings: Settings, ingress: Mapping[str, Any] | None) -> str | None:
    """Langfuse's public address; ``None`` while the load balancer has no name."""
    return _url(settings, langfuse_host(settings), langfuse_port(settings), ingress)


def url(settings: Settings, name: str, ingress: Mapping[str, Any] | None) -> str | None:
    """The public address that the ingress of this name serves; ``None`` while its load balancer has no name."""
    build = {"litellm": litellm_url, "langfuse": langfuse_url, GATEWAY: gateway_url}[name]
    return build(settings, ingress)


def _url(settings: Settings, host: str | None, port: int, ingress: Mapping[str, Any] | None) -> str | None:
    balancer = load_balancer(ingress)
    if balancer is None:
        return None
    scheme = "https" if tls(settings) else "http"
    usual = 443 if tls(settings) else 80
    return f"{scheme}://{host or balancer}" + ("" if port == usual else f":{port}")
