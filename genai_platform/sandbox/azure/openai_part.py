"""Azure OpenAI's stand-in as a part of the sandbox."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import OPENAI_THROTTLED
from genai_platform.sandbox.part import PythonPart

NEVER = re.compile(r"missing|no-such|non-?existent|does-not-exist")
"""Names of deployments that nobody made: so that it can be rehearsed what is said of them."""


def key_file(layout: SandboxLayout) -> Path:
    """The key clients must show."""
    return layout.root / "openai" / "key"


def key(layout: SandboxLayout) -> str:
    """The key, made when there is none."""
    with layout.lock("openai"):
        if not key_file(layout).exists():
            write_private(key_file(layout), secrets.token_hex(16))
    return key_file(layout).read_text().strip()


def told(layout: SandboxLayout, what: str) -> dict[str, Any]:
    """What the stand-in was told; read at each request, so it may change while the stand-in runs.

    Args:
        what: ``models``: deployment to the model that it is of, where that has another name; ``throttled``: deployment to the time
            (seconds since 1970) until which it answers 429; ``down``: the keys are the hosts of accounts that answer 503.
    """
    found: dict[str, Any] = _read(_file(layout, what), {})
    return found


def deployed(layout: SandboxLayout) -> dict[str, str]:
    """Every deployment, and the model that it is of."""
    models = told(layout, "models")
    return {name: str(models.get(name, name)) for name in _read(_file(layout, "deployments"), [])}


def offer(layout: SandboxLayout, deployments: Iterable[str] | Mapping[str, str | None]) -> None:
    """Make deployments, as a person would in Azure before they are configured. None is ever taken away.

    Args:
        deployments: their names; in a mapping, each with the model that it is of (None: the one it is called like).
    """
    models = deployments if isinstance(deployments, Mapping) else dict.fromkeys(deployments)
    with layout.lock("openai"):
        wanted = {name for name in models if not NEVER.search(name.lower())}
        _write(layout, "deployments", sorted(wanted | deployed(layout).keys()))
        _write(layout, "models", told(layout, "models") | {name: model for name, model in models.items() if model})


def regenerate_key(layout: SandboxLayout) -> None:
    """Give the resource another key, as "Regenerate key" does: the old one is refused at once."""
    with layout.lock("openai"):
        write_private(key_file(layout), secrets.token_hex(16))


def throttle(layout: SandboxLayout, deployment: str, seconds: float | None = None) -> None:
    """Let a deployment be over its quota for some seconds; None: as long as Azure counts. ``HOST/DEPLOYMENT``: in one account alone."""
    with layout.lock("openai"):
        until = {deployment: time.time() + (layout.pace.of(OPENAI_THROTTLED) if seconds is None else seconds)}
        _write(layout, "throttled", told(layout, "throttled") | until)


def take_down(layout: SandboxLayout, *hosts: str) -> None:
    """Let exactly these accounts be down, each named by its host; none: every account answers again."""
    with layout.lock("openai"):
        _write(layout, "down", dict.fromkeys(hosts, True))


def _file(layout: SandboxLayout, what: str) -> Path:
    return layout.root / "openai" / f"{what}.json"


def _read(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


def _write(layout: SandboxLayout, what: str, document: Any) -> None:
    write_private(_file(layout, what), json.dumps(document))


class OpenAI(PythonPart):
    """Chat, completions, embeddings and responses, with Azure's key and error bodies."""

    module = "genai_platform.sandbox.azure.openai"
    name = "openai"
    version = "2024-10-21"
    port = "openai"

    def prepare(self, layout: SandboxLayout) -> None:
        key(layout)
        offer(layout, ())

    def ready(self, layout: SandboxLayout) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", layout.ports["openai"]), timeout=1):
            return True
        return False


PART = OpenAI()
