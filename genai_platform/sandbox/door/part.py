"""The load balancer front as a part of the sandbox."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place

_READY = "ready"


class Door:
    """Reads the real Ingress objects; routes, refuses and encrypts as they say."""

    name = "door"
    kind: Kind = "stand-in"
    version = "1"
    port: str | None = "litellm"
    further_ports = ("langfuse", "models")

    def prepare(self, place: Place) -> None:
        (place.folder("door") / _READY).unlink(missing_ok=True)

    def argv(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "genai_platform.sandbox.door.front", "--place", str(place.root)]

    def variables(self, place: Place) -> Mapping[str, str]:
        return {}

    def ready(self, place: Place) -> bool:
        return (place.root / "door" / _READY).exists()


PART = Door()
