"""Images for the platform's own short jobs."""

from __future__ import annotations

import sys

from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.layout import SandboxLayout


def _python(layout: SandboxLayout, container: Container) -> list[str]:
    program, *rest = [*container.command, *container.args] or ["python3"]
    name = program.rsplit("/", 1)[-1]
    return [sys.executable, *rest] if name in ("python", "python3") else [program, *rest]


IMAGES: tuple[Image, ...] = (Image("docker/library/python", "real", f"{sys.version_info.major}.{sys.version_info.minor}", _python),)
