"""Environments to draw."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.step import State
from genai_platform.render.diagram import Diagram, diagram
from genai_platform.steps.catalog import build, standing
from genai_platform.steps.clients import Clients

AZURE: Mapping[str, Any] = {
    "enabled": True,
    "tenant_id": "0" * 32,
    "subscription_id": "0" * 32,
    "apim": {"publisher_email": "a@example.com"},
    "callers": {"team-a": {}, "team-b": {}},
}
EVERYTHING: Mapping[str, Any] = {
    "terraform": {"backend": "s3"},
    "langfuse": {"chart": {"version": "2.0.0"}},
    "azure": {**AZURE, "apim": {"publisher_email": "a@example.com", "keys": "shared"}},
}
"""Settings with which every step exists."""


def target(settings: Mapping[str, Any]) -> Target:
    return Target("default", Settings.model_validate(settings), Endpoints(), Path("/nonexistent"))


def steps(target: Target) -> tuple[str, ...]:
    return standing(build(Clients(target)), target.settings)


def drawn(settings: Mapping[str, Any], *, looked_at: bool = False) -> Diagram:
    """The picture of these settings; when it was looked at, with every state, one step after the other."""
    made = target(settings)
    ids = steps(made)
    states = {id: state.value for id, state in zip(ids, cycle(State), strict=False)}
    return diagram(made, ids, states if looked_at else None)
