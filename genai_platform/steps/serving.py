"""Waiting until the load balancer really serves an application: later than its pods are ready.

The controller registers a pod as a target once it is ready, and a target gets requests after its first health check. Until
then the load balancer answers 503 (user guide for Application Load Balancers, "Health checks for target groups"). Its name
may also resolve minutes after it was made.
"""

from __future__ import annotations

import ipaddress
import time

import httpx

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError
from genai_platform.steps.clients import Clients
from genai_platform.tools import http
from genai_platform.tools.aws import load_balancers
from genai_platform.tools.wait import wait_for

LIMIT = 300
EXPECTED = 15.0
"""Seconds for which no answer is the rule; after them the health checks are asked for what keeps it."""


def admits_us(clients: Clients) -> bool:
    """Whether ``ingress.allowed_cidrs`` lets this machine in. Where it is not set, ``up`` admits this machine itself.

    Raises:
        StepError: the networks are set, and this machine's address could not be found out.
    """
    networks = clients.target.settings.ingress.allowed_cidrs
    if not networks:
        return True
    own = ipaddress.ip_network(clients.aws.my_address()).network_address
    return any(own in ipaddress.ip_network(network, strict=False) for network in networks)


def wait_served(clients: Clients, name: str, path: str, progress: Progress, limit: float = LIMIT) -> None:
    """Wait until ``path`` answers 200 through the load balancer.

    Args:
        name: the ingress, e.g. ``litellm``.
        path: the page that its health check asks for.
        limit: seconds.

    Raises:
        StepError: it has no address, or did not serve in time; the message says what it answered last.
    """
    url, last, began = clients.need_address(name), "nothing yet", time.monotonic()

    def status() -> str:
        reason = _health(clients, name) if time.monotonic() - began >= EXPECTED else ""
        return f"waiting until the load balancer serves {url}: {last}" + (f"; {reason}" if reason else "")

    with http.client(clients.target, url, timeout=10) as client:

        def look() -> bool | None:
            nonlocal last
            try:
                answer = client.get(path)
            except httpx.TransportError as error:
                last = f"{type(error).__name__}: {error}"[:160]
                return None
            last = f"it answers {answer.status_code}"
            return True if answer.status_code == 200 else None

        wait_for(look, progress, status, limit)


def _health(clients: Clients, name: str) -> str:
    """What the load balancer's health checks say; empty where it cannot be asked, since this only explains the wait."""
    try:
        return load_balancers.unhealthy(clients.aws, clients.target.prefix, name)
    except GenaiError:
        return ""
