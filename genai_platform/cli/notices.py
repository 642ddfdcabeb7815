"""What ``plan``, ``up`` and ``doctor`` say of a configuration that is allowed and yet not what everybody would expect."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_platform.config.settings import Settings


def notices(settings: Settings, steps: Collection[str]) -> list[str]:
    """One line each, for the steps that are worked on."""
    from genai_platform.render import chart, gateway, prices, sign_in

    found = gateway.notices(settings) if "azure.ingress" in steps else []
    found += prices.notices(settings) if "litellm.config" in steps else []
    found += sign_in.notices(settings) if sign_in.STEP in steps else []
    ends = chart.support(settings, date.today()) if "langfuse.chart" in steps else None
    return [*found, *([ends] if ends else [])]
