"""Public addresses: from settings and what an Ingress says about its load balancer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


def load_balancer(ingress: Mapping[str, Any] | None) -> str | None:
    """The name or address in an Ingress's status; ``None`` while there is none."""
    points = (((ingress or {}).get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return next((found for point in points if (found := point.get("hostname") or point.get("ip"))), None)


@dataclass(frozen=True)
class Listener:
    """Where one ingress is served.

    Attributes:
        port: the load balancer's.
        tls: HTTPS instead of HTTP.
        host: the only name it answers to; None: the load balancer's own name.
    """

    port: int
    tls: bool
    host: str | None

    def url(self, ingress: Mapping[str, Any] | None) -> str | None:
        """The public address; ``None`` while the load balancer has no name."""
        balancer = load_balancer(ingress)
        if balancer is None:
            return None
        scheme, usual = ("https", 443) if self.tls else ("http", 80)
        return f"{scheme}://{self.host or balancer}" + ("" if self.port == usual else f":{self.port}")


def listener(settings: Settings, name: str) -> Listener:
    """Where the ingress of this name is served: ``litellm``, ``langfuse`` or ``GATEWAY``."""
    ingress, encrypted = settings.ingress, tls(settings)
    application = "langfuse" if name == "langfuse" else "litellm"
    port = {
        "litellm": ingress.litellm_port or (443 if encrypted else 80),
        "langfuse": ingress.langfuse_port or (3000 if not encrypted else 443 if ingress.domain else 8443),
        GATEWAY: ingress.gateway_port,
    }[name]
    return Listener(port, encrypted, f"{application}.{ingress.domain}" if ingress.domain else None)


def url(settings: Settings, name: str, ingress: Mapping[str, Any] | None) -> str | None:
    """The public address that the ingress of this name serves; ``None`` while its load balancer has no name."""
    return listener(settings, name).url(ingress)
