"""The container images the node agent can run, gathered from the rooms that provide them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable

from genai_platform.sandbox.image import Image

_ROOMS = (
    "genai_platform.sandbox.litellm.image",
    "genai_platform.sandbox.data.image",
    "genai_platform.sandbox.langfuse.image",
    "genai_platform.sandbox.load_balancer.image",
)

EXTRA = "GENAI_SANDBOX_IMAGES"
"""Environment variable naming more modules with ``IMAGES``, separated by commas; the agent's own tests use it."""


class Images:
    """Known images, found by the end of a name without registry, tag and digest."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = sorted(images, key=lambda image: len(image.repository), reverse=True)

    @classmethod
    def gather(cls) -> Images:
        """Every ``IMAGES`` tuple of the sandbox."""
        names = [*_ROOMS, *(name for name in os.environ.get(EXTRA, "").split(",") if name)]
        return cls(image for name in names for image in importlib.import_module(name).IMAGES)

    def find(self, name: str) -> Image | None:
        """The image that plays ``name``; None when it is to be simulated."""
        repository = repository_of(name)
        return next((image for image in self._images if f"/{repository}".endswith(f"/{image.repository}")), None)


def repository_of(name: str) -> str:
    """``ghcr.io:443/berriai/litellm:v1@sha256:…`` is ``ghcr.io:443/berriai/litellm``."""
    path, _, _ = name.partition("@")
    head, slash, last = path.rpartition("/")
    return head + slash + last.partition(":")[0]
