"""Where the control routes are and what they ask for: all that a command needs of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout

if TYPE_CHECKING:
    import httpx

PATH = "/_sandbox/probe"


def secret_file(layout: SandboxLayout) -> Path:
    """Where the routes' secret is kept (0600), made when missing."""
    file = layout.folder("azure") / "probe"
    with layout.lock("probe"):
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
    return file


def post(layout: SandboxLayout, what: str, body: Mapping[str, object]) -> httpx.Response:
    """Steer the stand-ins of a sandbox from outside. Raises ``httpx.HTTPError``."""
    from genai_platform.sandbox.azure import transport

    headers = {"Authorization": f"Bearer {secret_file(layout).read_text().strip()}"}
    with transport.client(layout) as http:
        return http.post(f"{layout.url('entra', 'https')}{PATH}/{what}", json=body, headers=headers).raise_for_status()
