"""The addresses of a platform that exists."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from genai_platform.errors import GenaiError
from genai_platform.render.addresses import protection
from genai_platform.steps.azure.lookup import find_service, object_name
from genai_platform.tools.parallel import answer, begin

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.steps.clients import Clients


_LIMIT = 15.0
"""Seconds for all addresses together."""


def endpoints(run: Run) -> dict[str, str]:
    """Addresses of LiteLLM and Langfuse as far as their load balancer has one, and of API Management where it exists.

    All are asked for at the same time. One that cannot be had, or not in time, is left out.
    """
    ask: dict[str, Callable[[], str | None]] = {
        "litellm": lambda: run.clients.address("litellm"),
        "langfuse": lambda: run.clients.address("langfuse"),
    }
    if run.target.settings.azure.enabled:
        ask["apim"] = lambda: gateway(run.clients)
    asked, deadline = {name: begin(look, f"address of {name}") for name, look in ask.items()}, time.monotonic() + _LIMIT
    found: dict[str, str] = {}
    for name, look_up in asked.items():
        try:
            url = answer(look_up, deadline - time.monotonic(), name)
        except GenaiError as error:
            run.screen.detail(f"{name}: {error.message}")
            continue
        if url:
            found[name] = url
    return found


def told(run: Run, addresses: Mapping[str, str]) -> list[str]:
    """A line for each address, for people."""
    note = protection(run.target.settings)
    return [f"{name}: {url}" + (f" ({note})" if note and name != "apim" else "") for name, url in addresses.items()]


def gateway(clients: Clients) -> str | None:
    """The base address of the API in API Management; model routes follow as ``/v1/…``. None until the API is there."""
    service = find_service(clients)
    if service is None or not service.gateway or clients.azure.apim.api(service, object_name(clients.target, "api")) is None:
        return None
    return f"{service.gateway.rstrip('/')}/{clients.target.settings.azure.apim.path}"
