"""All checks of the platform, gathered from their families."""

from __future__ import annotations

from genai_platform.checks import azure, clickhouse, langfuse, litellm, patch
from genai_platform.checks.check import Check
from genai_platform.checks.world import Doors, World

FAMILIES = (litellm, langfuse, clickhouse, patch, azure)
"""Modules with ``checks(world)``."""


def build(doors: Doors) -> list[Check]:
    """Every check for this target, in the order of the report. Does no input or output."""
    world = World(doors)
    return [check for family in FAMILIES for check in family.checks(world)]
