"""An HTTP client for the stand-ins among themselves: it trusts the sandbox's authority and knows where ``*.localhost`` is."""

from __future__ import annotations

import ssl

import httpx

from genai_platform.sandbox.layout import SandboxLayout


class LoopbackTransport(httpx.HTTPTransport):
    """Connects to 127.0.0.1 for every name under ``localhost`` (RFC 6761, section 6.3); TLS still checks the whole name."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host.endswith(".localhost"):
            request.extensions = {**request.extensions, "sni_hostname": host}
            request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


def client(layout: SandboxLayout, seconds: float = 15.0) -> httpx.Client:
    """A client for this sandbox's HTTPS stand-ins; ambient proxies are not used."""
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    return httpx.Client(transport=LoopbackTransport(verify=context), timeout=seconds)
