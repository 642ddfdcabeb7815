"""An image for the node agent's tests: whatever the container's command says, run by this Python or a shell."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.place import Place


def _argv(place: Place, container: Container) -> list[str]:
    if container.command:
        return [*container.command, *container.args]
    return [sys.executable, "-m", "http.server", "--bind", container.address, *container.args]


def _variables(place: Place, container: Container) -> Mapping[str, str]:
    return {"ADDRESS": container.address, "PYTHONUNBUFFERED": "1"}


IMAGES = (Image("tests/python", "stand-in", "3", _argv, _variables),)
