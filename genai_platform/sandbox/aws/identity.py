"""What this sandbox's AWS is known by: its account, its token issuer, its administrator and the key of its control routes."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass

from genai_platform.files import write_private
from genai_platform.sandbox.cluster.issuer import issuer, public_key_file
from genai_platform.sandbox.layout import SandboxLayout

__all__ = ["ACCOUNT", "ADMINISTRATOR", "Administrator", "administrator", "control_key", "issuer", "public_key_file"]

ACCOUNT = "123456789012"
"""The one account of the sandbox."""
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:user/administrator"
"""Who the administrator's key belongs to."""


@dataclass(frozen=True, repr=False)
class Administrator:
    """The access key that may do everything in this sandbox and nothing anywhere else."""

    access_key_id: str
    secret_access_key: str


def access_key_id(prefix: str) -> str:
    """A new one; AWS begins long-lived ones with ``AKIA``, those of sessions with ``ASIA``."""
    return prefix + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def administrator(layout: SandboxLayout) -> Administrator:
    """Read the administrator's key, or make it when there is none."""
    file = layout.folder("aws") / "admin.json"
    if not file.exists():
        made = {
            "access_key_id": access_key_id("AKIA"),
            "secret_access_key": "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40)),
        }
        write_private(file, json.dumps(made))
    return Administrator(**json.loads(file.read_text()))


def control_key(layout: SandboxLayout) -> str:
    """The bearer secret of the control routes (``/_sandbox/…``), made when there is none."""
    file = layout.folder("aws") / "control.key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text().strip()
