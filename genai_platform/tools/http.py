"""HTTP clients for the platform's own addresses: they trust its authority, and use no proxy from the environment."""

from __future__ import annotations

import ssl

import httpx

from genai_platform.config.target import Target


def trusted(target: Target) -> ssl.SSLContext:
    """The system's authorities, the one the tool made for this environment, and the one the endpoints name."""
    context = ssl.create_default_context()
    for path in (target.folder / "ca.pem", target.endpoints.ca_bundle):
        if path is not None and path.is_file():
            context.load_verify_locations(cafile=str(path))
    return context


def client(target: Target, base_url: str = "", *, timeout: float = 30.0) -> httpx.Client:
    """A client for addresses of this platform. Proxies and ``.netrc`` of the caller's environment are not used."""
    transport = LocalhostTransport(verify=trusted(target), trust_env=False)
    return httpx.Client(base_url=base_url, transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)


class LocalhostTransport(httpx.HTTPTransport):
    """Names under ``localhost`` are this machine (RFC 6761, section 6.3), which not every resolver knows; TLS checks the whole name."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host.endswith(".localhost"):
            request.extensions = {**request.extensions, "sni_hostname": host}
            request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)
