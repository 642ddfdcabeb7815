"""How the Azure SDKs reach their servers: which authorities are trusted, and where names under ``localhost`` are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genai_platform.config.endpoints import Endpoints

if TYPE_CHECKING:
    from azure.core.pipeline.transport import RequestsTransport


def transport(endpoints: Endpoints) -> RequestsTransport:
    """A transport for one client. Against other endpoints than the public clouds it trusts their authority alone."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter

    class Loopback(HTTPAdapter):
        """Connects to 127.0.0.1 for every name under ``localhost`` (RFC 6761, section 6.3); TLS checks the whole name."""

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            if str(host["host"]).endswith(".localhost"):
                pool |= {"server_hostname": host["host"], "assert_hostname": host["host"]}
                host = {**host, "host": "127.0.0.1"}
            return host, pool

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            parts = urlsplit(request.url)
            if (parts.hostname or "").endswith(".localhost"):
                request.headers["Host"] = parts.netloc
            return super().send(request, *args, **kwargs)

    if endpoints.real:
        return RequestsTransport()
    session = requests.Session()
    session.trust_env = False
    adapter = Loopback(pool_maxsize=32)
    session.mount("https://", adapter)
    verify: Any = str(endpoints.ca_bundle) if endpoints.ca_bundle else True
    return RequestsTransport(session=session, session_owner=True, connection_verify=verify, use_env_settings=False)


def public(authority: str) -> bool:
    """Whether an authority is one of Microsoft's own; only another one is outside instance discovery."""
    host = authority.removeprefix("https://").split("/")[0]
    return host in {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}
