"""The addresses of a platform that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_platform.errors import GenaiError

if TYPE_CHECKING:
    from genai_platform.cli.run import Run


def endpoints(run: Run) -> dict[str, str]:
    """Addresses of LiteLLM and Langfuse as far as their load balancer has one."""
    from genai_platform.steps.ingress import address

    found: dict[str, str] = {}
    for name in ("litellm", "langfuse"):
        try:
            url = address(run.doors, name)
        except GenaiError as error:
            run.screen.detail(f"{name}: {error.message}")
            continue
        if url:
            found[name] = url
    return found
