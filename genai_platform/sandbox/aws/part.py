"""The sandbox's AWS as a part of the sandbox."""

from __future__ import annotations

import contextlib
import sys
import urllib.request
from collections.abc import Mapping
from importlib.metadata import version

from genai_platform.sandbox.aws.identity import administrator, door_key
from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place


class Aws:
    """moto, mended, in one process; the data engines are its children."""

    name = "aws"
    kind: Kind = "stand-in"
    port = "aws"
    further_ports: tuple[str, ...] = ("endpoint",)

    @property
    def version(self) -> str:
        return f"moto {version('moto')}"

    def prepare(self, place: Place) -> None:
        administrator(place)
        door_key(place)

    def argv(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "genai_platform.sandbox.aws.server", "--place", str(place.root)]

    def variables(self, place: Place) -> Mapping[str, str]:
        return {}

    def ready(self, place: Place) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(_ready(place), timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False


def _ready(place: Place) -> urllib.request.Request:
    return urllib.request.Request(place.url("aws") + "/_sandbox/ready")  # noqa: S310 - http on loopback, always
