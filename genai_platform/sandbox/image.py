"""How the node agent turns a container image into a local process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import Kind


@dataclass(frozen=True)
class Container:
    """A container as the pod's spec has it, with variables resolved and mounts in place."""

    name: str
    image: str
    command: Sequence[str]
    args: Sequence[str]
    env: Mapping[str, str]
    address: str
    """The loopback address 127.N.x.y the process should listen on in place of 0.0.0.0."""


@dataclass(frozen=True)
class Image:
    """An image the node agent knows.

    ``repository`` is matched as the end of the image's name without registry, tag and digest,
    e.g. ``berriai/litellm-database``.
    """

    repository: str
    kind: Kind
    version: str
    argv: Callable[[SandboxLayout, Container], list[str]]
    variables: Callable[[SandboxLayout, Container], Mapping[str, str]] = field(default=lambda layout, container: {})
