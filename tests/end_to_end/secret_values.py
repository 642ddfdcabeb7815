"""Where the platform's secrets are kept, and whether one of them stands in a text."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.end_to_end.conftest import Platform

PREFIX = "genai-sandbox"
PUBLIC = {
    "langfuse_public_key",
    "ca_certificate",
    "client_id",
    "key_id",
    "expires",
    "remove_after",
    "address",
    "previous",
    "previous_until",
}
"""Fields of the documents in Secrets Manager that everybody may know."""
SHORTEST = 16
"""Characters of a value that is looked for: a shorter one may stand anywhere by chance."""


def kept(platform: Platform) -> dict[str, str]:
    """Where each secret is kept → its value."""
    client = platform.aws("secretsmanager")
    names = [one["Name"] for page in client.get_paginator("list_secrets").paginate() for one in page["SecretList"]]
    ours = sorted(name for name in names if name == f"{PREFIX}/platform" or name.startswith(f"{PREFIX}/callers"))
    assert {f"{PREFIX}/platform", f"{PREFIX}/callers"} <= set(ours), names
    found: dict[str, str] = {}
    for name in ours:
        found |= _values(name, json.loads(client.get_secret_value(SecretId=name)["SecretString"]))
    for wanted in ("litellm_master_key", "postgres_admin_password", "redis_token", "langfuse_secret_key", "ca_key", "upstream_keys"):
        assert any(wanted in where for where in found), sorted(found)
    # The pair as HTTP sends it, and every value as a Kubernetes secret holds it.
    pair = f"{platform.variables['LANGFUSE_PUBLIC_KEY']}:{platform.variables['LANGFUSE_SECRET_KEY']}"
    forms = {"Langfuse's pair": _base64(pair)} | {f"{where} in base64": _base64(value) for where, value in found.items()}
    return found | forms


def _values(where: str, value: Any) -> dict[str, str]:
    """What is secret in a document, by its place. Of a key in lines, each line: a file may hold them otherwise joined."""
    if isinstance(value, str):
        lines = [line for line in value.splitlines() if not line.startswith("-----")]
        return {f"{where} line {number}": line for number, line in enumerate(lines) if len(line) >= SHORTEST}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, str] = {}
    for name, part in parts:
        if name not in PUBLIC:
            found |= _values(f"{where}.{name}", part)
    return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


def seen(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Which secret stands where, without showing it."""
    assert all(texts.values()), [where for where, text in texts.items() if not text]
    return [f"{name} in {where}" for where, text in texts.items() for name, value in secrets.items() if value in text]
