"""An HTTP client for the stand-ins among themselves: it trusts the sandbox's authority and knows where ``*.localhost`` is."""

from __future__ import annotations

import ssl

import httpx

from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.tools.http import LocalhostTransport


def client(layout: SandboxLayout, seconds: float = 15.0) -> httpx.Client:
    """A client for this sandbox's HTTPS stand-ins; ambient proxies are not used."""
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    return httpx.Client(transport=LocalhostTransport(verify=context), timeout=seconds)
