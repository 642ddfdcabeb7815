"""All checks of the platform, gathered from their families."""

from __future__ import annotations

from collections.abc import Callable

from genai_platform.checks import azure, clickhouse, keyless, langfuse, litellm, models, patch, sign_in
from genai_platform.checks.azure_inventory import Inventory
from genai_platform.checks.check import Check
from genai_platform.checks.platform import Clients, Platform

FAMILIES = (litellm, models, keyless, langfuse, clickhouse, patch, azure, sign_in)
"""Modules with ``checks(world)``."""


def build(clients: Clients, inventory: Callable[[], Inventory]) -> list[Check]:
    """Every check for this target, in the order of the report. Does no input or output.

    Args:
        inventory: what exists in Azure; called when that is first asked.
    """
    platform = Platform(clients, inventory)
    return [check for family in FAMILIES for check in family.checks(platform)]
