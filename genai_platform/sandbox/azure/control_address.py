"""Where the control routes are and what they ask for: all that a command needs of them."""

from __future__ import annotations

import secrets
from pathlib import Path

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout

PATH = "/_sandbox/probe"


def secret_file(layout: SandboxLayout) -> Path:
    """Where the routes' secret is kept (0600), made when missing."""
    file = layout.folder("azure") / "probe"
    with layout.lock("probe"):
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
    return file
