"""The family ``azure``: Entra applications, Key Vault, API Management, and the callers that come through it."""

from __future__ import annotations

from genai_platform.config.target import Target
from genai_platform.graph.step import Step
from genai_platform.steps.doors import Doors

KEPT_WITH_DATA = ("azure.group", "azure.application", "azure.probes", "azure.vault", "azure.callers")
"""Steps that ``down --keep-data`` leaves standing: what callers rely on to sign in tomorrow."""


def preflight(target: Target) -> None:
    """What can be seen to be wrong without asking anybody. Raises ``ConfigError``."""
    if target.settings.azure.enabled:
        from genai_platform.steps.azure.wanted import callers, publisher

        callers(target)
        publisher(target)


def steps(doors: Doors) -> list[Step]:
    """The family's steps; none when Azure is not configured."""
    if not doors.target.settings.azure.enabled:
        return []
    from genai_platform.steps.azure import door
    from genai_platform.steps.azure.access import AccessStep
    from genai_platform.steps.azure.api import ApiStep
    from genai_platform.steps.azure.application import ApplicationStep
    from genai_platform.steps.azure.callers import CallersStep
    from genai_platform.steps.azure.group import GroupStep
    from genai_platform.steps.azure.policy import PolicyStep
    from genai_platform.steps.azure.probes import ProbesStep
    from genai_platform.steps.azure.service import ServiceStep
    from genai_platform.steps.azure.shared_key import SharedKeyStep
    from genai_platform.steps.azure.vault import VaultStep

    shared = (SharedKeyStep,) if doors.target.settings.azure.apim.keys == "shared" else ()
    first = (GroupStep, ApplicationStep, ProbesStep, VaultStep, ServiceStep, AccessStep, *shared)
    last = (ApiStep, PolicyStep, CallersStep)
    return [*(kind(doors) for kind in first), door.step(doors), *(kind(doors) for kind in last)]
