"""The list of IAM actions beside what the product and its Terraform really asked of the sandbox's AWS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.steps.infra.prerequisites.actions import needs

_CLIENTS = ("genai-platform", "Terraform/")
"""What the user agents of the product's own clients, and of Terraform's provider and backend, have in them."""
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
"""Nobody needs a permission for these (IAM user guide)."""


def unlisted(requests: Iterable[dict[str, Any]]) -> set[str]:
    """The actions of these entries of the stand-in's log that no configuration's list has."""
    asked = {action for entry in requests if any(name in entry["agent"] for name in _CLIENTS) for action in entry["actions"]}
    assert asked
    listed = {action for ingress in ({}, {"domain": "genai.example.com"}) for action in _listed({"ingress": ingress})}
    return asked - _FREE - listed


def _listed(settings: dict[str, Any]) -> Iterator[str]:
    target = Target("default", Settings.model_validate(settings), Endpoints(), Path("/nowhere"))
    return (action for need in needs(target, "123456789012") for action in need.actions)
