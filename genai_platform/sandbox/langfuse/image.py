"""The two images of Langfuse, as processes of the stand-in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial

from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.layout import SandboxLayout


def _argv(module: str, layout: SandboxLayout, container: Container) -> list[str]:
    tag = container.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return [
        sys.executable, "-m", f"genai_platform.sandbox.langfuse.{module}",
        "--layout", str(layout.root), "--address", container.address, "--version", tag or "3",
    ]  # fmt: skip


def _variables(layout: SandboxLayout, container: Container) -> Mapping[str, str]:
    # A pod has no instance role: only what its service account was given.
    return {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1"}


IMAGES: tuple[Image, ...] = (
    Image("langfuse/langfuse", "stand-in", "3", partial(_argv, "web"), _variables),
    Image("langfuse/langfuse-worker", "stand-in", "3", partial(_argv, "worker"), _variables),
)
