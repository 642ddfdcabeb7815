"""LiteLLM's images: the real proxy, and its migration job, as local processes."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence

from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.litellm import prisma_client

_ROOM = "genai_platform.sandbox.litellm"
_PROXY = {"litellm", "/usr/bin/litellm", "docker/prod_entrypoint.sh", "/app/docker/prod_entrypoint.sh", "./docker/prod_entrypoint.sh"}


def argv(layout: SandboxLayout, container: Container) -> list[str]:
    """The image's entry point is the proxy; a command that names the migration is the migration; others run as given."""
    if any(word.endswith("prisma_migration.py") for word in container.command):
        return [sys.executable, "-m", f"{_ROOM}.migrate"]
    if not container.command:
        return _proxy(container.args, container.address)
    program, *words = [*container.command, *container.args]
    if program in _PROXY:
        return _proxy(words, container.address)
    return [sys.executable if program in ("python", "python3") else program, *words]


def _proxy(args: Sequence[str], address: str) -> list[str]:
    kept = list(args)
    if "--host" in kept:  # 0.0.0.0 here would take the port from every other pod
        at = kept.index("--host")
        del kept[at : at + 2]
    return [sys.executable, "-m", f"{_ROOM}.proxy", *kept, "--host", address]


def variables(layout: SandboxLayout, container: Container) -> Mapping[str, str]:
    """What the container's image would bring along: its database client, and no look at the internet."""
    return {
        **prisma_client.variables(prisma_client.folder()),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOCAL_BLOG_POSTS": "True",
        "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
        # A pod's own root may be read-only, ours is not: what was compiled once is used by every start.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONUNBUFFERED": "1",
        **_microsoft(layout, container.env),
    }


def _microsoft(layout: SandboxLayout, env: Mapping[str, str]) -> dict[str, str]:
    """Where this sandbox has login.microsoftonline.com and graph.microsoft.com, for a proxy that signs people in there."""
    if "MICROSOFT_TENANT" not in env:
        return {}
    entra, graph = (f"https://localhost:{layout.azure.ports[name]}" for name in ("entra", "graph"))
    protocol = f"{entra}/{env['MICROSOFT_TENANT']}/oauth2/v2.0"
    return {
        "MICROSOFT_AUTHORIZATION_ENDPOINT": f"{protocol}/authorize",
        "MICROSOFT_TOKEN_ENDPOINT": f"{protocol}/token",
        "MICROSOFT_USERINFO_ENDPOINT": f"{graph}/v1.0/me",
        "MICROSOFT_GRAPH_ENDPOINT": f"{graph}/v1.0",
    }


def _version() -> str:
    try:
        return importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


IMAGES: tuple[Image, ...] = tuple(
    Image(repository, "real", _version(), argv, variables)
    for repository in ("berriai/litellm-database", "berriai/litellm", "berriai/litellm-non_root")
)
