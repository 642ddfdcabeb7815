"""Public https addresses that the sandbox's clouds have on the Internet, and the port of this machine that answers for each.

An entry lies in the world of the sandbox whose tenant is used, for there it is asked for: Entra ID reads the keys of a cluster's
issuer from outside, whichever sandbox the cluster is in.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path

import httpx

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout


def publish(layout: SandboxLayout, url: str, port: int, authority: Path | None = None) -> None:
    """Addresses that begin with ``url`` are answered on this port of 127.0.0.1.

    Args:
        authority: PEM certificate that the answer's certificate is checked against; default: that of ``layout``.
    """
    entry = {"url": url, "port": port, "authority": str(authority or layout.ca_file)}
    write_private(_file(layout, url), json.dumps(entry))


def withdraw(layout: SandboxLayout, url: str) -> None:
    """Nothing answers for ``url`` any more."""
    _file(layout, url).unlink(missing_ok=True)


def get(layout: SandboxLayout, url: str, seconds: float = 5.0) -> httpx.Response:
    """GET a public address; the certificate must be the one of the host in ``url``. The Internet itself is never asked.

    Raises:
        httpx.HTTPError: nothing answers for it, or not as it should.
    """
    found = [json.loads(file.read_text()) for file in layout.azure.folder("public").glob("*.json")]
    entry = max((one for one in found if url.startswith(one["url"])), key=lambda one: len(one["url"]), default=None)
    if entry is None:
        raise httpx.ConnectError(f"nothing answers for {url}")
    asked = httpx.URL(url)
    transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=entry["authority"]), trust_env=False)
    with httpx.Client(transport=transport, timeout=seconds, trust_env=False) as http:
        headers = {"Host": asked.netloc.decode()}
        return http.get(asked.copy_with(host="127.0.0.1", port=entry["port"]), headers=headers, extensions={"sni_hostname": asked.host})


def _file(layout: SandboxLayout, url: str) -> Path:
    return layout.azure.folder("public") / (hashlib.sha256(url.encode()).hexdigest()[:16] + ".json")
