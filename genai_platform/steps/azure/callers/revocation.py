"""How long the two entrances stay open to a caller whose key was revoked: asked at both until they refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.inventory import Inventory
from genai_platform.steps.clients import Clients
from genai_platform.tools import http

LONGEST = 60.0
"""Seconds; LiteLLM's workers forget a key after 5 s with Redis and after 60 s at most: what is open then counts as open."""
_INTERVAL = 0.5
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Entrance:
    """One way in, with the caller's own means; ``ask`` gives the status of the cheapest model route."""

    name: str
    ask: Callable[[], int]


def open_entrances(clients: Clients, name: str) -> list[Entrance]:
    """The entrances that this caller can use now. Called before a revocation: afterwards nobody has a token.

    None in shared mode: the key is everybody's and stays, and tokens issued before are taken until they end.
    """
    if clients.target.settings.azure.apim.keys == "shared":
        return []
    found = []
    for make in (_gateway, _load_balancer):
        try:
            entrance = make(clients, name)
        except GenaiError:
            continue  # nothing to measure with: it may be revoked already
        if entrance is not None and entrance.ask() < 400:
            found.append(entrance)
    return found


def _gateway(clients: Clients, name: str) -> Entrance | None:
    from genai_platform.tools.azure import token

    client = keys.client(clients, name)
    if client.secret is None:
        return None
    # At once: a caller that was revoked before gets no token, however long one waits.
    bearer = token.fetch(clients.target, client.tenant_id, client.client_id, client.secret, client.scope, 0.0)
    return _entrance("API Management", http.client(clients.target, client.gateway_url), bearer.get_secret_value())


def _load_balancer(clients: Clients, name: str) -> Entrance | None:
    stored, url = Inventory(clients).stored_key(keys.client(clients, name).client_id), clients.address("litellm")
    if stored is None or url is None:
        return None
    return _entrance("the load balancer", http.client(clients.target, url), stored.get_secret_value())


def wait(entrances: list[Entrance], progress: Progress, *, clock: Callable[[], float] = time.monotonic) -> Mapping[str, float | None]:
    """Seconds until each refuses; None: it was still open after ``LONGEST``."""
    began = clock()
    closed: dict[str, float | None] = {entrance.name: None for entrance in entrances}
    while None in closed.values() and clock() - began < LONGEST:
        progress.check()
        for entrance in entrances:
            # A slow answer may come too late: then it was open for too long.
            if closed[entrance.name] is None and entrance.ask() in _REFUSED and (seconds := clock() - began) <= LONGEST:
                closed[entrance.name] = round(seconds, 1)
        if None in closed.values():
            time.sleep(_INTERVAL)
    return closed


def _entrance(name: str, client: httpx.Client, bearer: str) -> Entrance:
    def ask() -> int:
        try:
            return client.get("/v1/models", headers={"Authorization": f"Bearer {bearer}"}).status_code
        except httpx.HTTPError:
            return 503

    return Entrance(name, ask)
