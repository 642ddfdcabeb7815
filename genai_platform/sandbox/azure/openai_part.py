"""Azure OpenAI's stand-in as a part of the sandbox."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place

_NEVER = re.compile(r"missing|no-such|non-?existent|does-not-exist")
"""Names of deployments that nobody made: so that it can be rehearsed what is said of them."""


def key_file(place: Place) -> Path:
    """The key clients must show."""
    return place.root / "openai" / "key"


def deployments_file(place: Place) -> Path:
    """A JSON list of deployment names; read at each request, so it may change while the stand-in runs."""
    return place.root / "openai" / "deployments.json"


def offer(place: Place, names: Iterable[str]) -> None:
    """Make deployments of these names, as a person would in Azure before they are configured. None is ever taken away."""
    file = deployments_file(place)
    with place.lock("openai"):
        there = set(json.loads(file.read_text())) if file.exists() else set()
        wanted = there | {name for name in names if not _NEVER.search(name.lower())}
        if wanted != there or not file.exists():
            place.folder("openai")
            file.with_suffix(".new").write_text(json.dumps(sorted(wanted)))
            file.with_suffix(".new").replace(file)


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
        offer(place, ())

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
