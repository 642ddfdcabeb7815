"""Azure OpenAI's stand-in as a part of the sandbox."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place

DEPLOYMENTS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
"""What there is unless whoever prepares the sandbox wrote other names into ``openai/deployments.json``."""


def key_file(place: Place) -> Path:
    """The key clients must show."""
    return place.root / "openai" / "key"


def deployments_file(place: Place) -> Path:
    """A JSON list of deployment names; read at each request, so it may change while the stand-in runs."""
    return place.root / "openai" / "deployments.json"


class OpenAI:
    """Chat, completions, embeddings and responses, with Azure's key and error bodies."""

    name = "openai"
    kind: Kind = "stand-in"
    version = "2024-10-21"
    port = "openai"

    def prepare(self, place: Place) -> None:
        place.folder("openai")
        if not key_file(place).exists():
            descriptor = os.open(key_file(place), os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        if not deployments_file(place).exists():
            deployments_file(place).write_text(json.dumps(DEPLOYMENTS))

    def argv(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "genai_platform.sandbox.azure.openai", "--place", str(place.root)]

    def variables(self, place: Place) -> Mapping[str, str]:
        return {}

    def ready(self, place: Place) -> bool:
        try:
            socket.create_connection(("127.0.0.1", place.ports["openai"]), timeout=1).close()
        except OSError:
            return False
        return True


PART = OpenAI()
