"""The sandbox's own look at its Kubernetes API: plain requests with a client certificate of the sandbox's authority."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from genai_platform.errors import StepError
from genai_platform.sandbox import ca
from genai_platform.sandbox.layout import SandboxLayout


def client(layout: SandboxLayout, user: tuple[str, str]) -> httpx.Client:
    """Requests to the API server as ``user`` (name and group). Nothing of the person's environment is used."""
    import ssl

    issued = ca.issue_user(layout, *user)
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    context.load_cert_chain(issued.cert, issued.key)
    return httpx.Client(base_url=layout.url("kubernetes", "https"), verify=context, timeout=10, trust_env=False)


def apply(api: httpx.Client, path: str, document: Mapping[str, Any]) -> None:
    """Make an object what the document says (server-side apply). ``path`` is the collection's path."""
    name = document["metadata"]["name"]
    answer = api.patch(
        f"{path}/{name}",
        params={"fieldManager": "genai-sandbox", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        content=json.dumps(document),
    )
    if answer.is_error:
        raise StepError(f"the sandbox's cluster refused {document['kind']} '{name}': {answer.text[:300]}", id="sandbox.cluster")
