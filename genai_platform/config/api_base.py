"""The address of an Azure OpenAI resource, out of whatever a portal gives a person to copy.

LiteLLM puts deployment, operation and api-version behind ``api_base`` itself. The portals show whole target URIs instead:
``https://NAME.openai.azure.com/openai/deployments/D/chat/completions?api-version=V`` for a deployment,
``https://NAME.openai.azure.com/openai/v1/`` for the newer interface, and ``https://NAME.services.ai.azure.com/api/projects/P``
for a project of Azure AI Foundry, whose resource serves the models at the root of the same host.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

_BEHIND = re.compile(r"/(openai|api/projects)(/.*)?$")
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")


class ApiBase(NamedTuple):
    """What a copied address says."""

    address: str
    """Scheme, host, port and a path that belongs to neither Azure OpenAI nor a project (a gateway's, for example)."""
    deployment: str | None
    api_version: str | None


def parse(text: str) -> ApiBase:
    """Take an address apart. Whatever cannot be part of a target URI stays in ``address``, where its form is refused."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ApiBase(text, None, None)
    query = parse_qs(parts.query)
    if parts.fragment or not set(query) <= {"api-version"} or (parts.query and not query):
        return ApiBase(text, None, None)
    found = _DEPLOYMENT.search(parts.path)
    address = parts._replace(path=_BEHIND.sub("", parts.path).rstrip("/"), query="").geturl()
    return ApiBase(address, unquote(found[1]) if found else None, query.get("api-version", [None])[-1])
