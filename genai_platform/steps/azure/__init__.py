"""The family ``azure``: Entra applications, Key Vault, API Management, and the callers that come through it."""

from __future__ import annotations

from genai_platform.config.target import Target
from genai_platform.engine.step import Step
from genai_platform.steps.clients import Clients

KEPT_WITH_DATA = (
    "azure.group", "azure.application", "azure.model_access", "azure.check_applications", "azure.vault", "azure.sign_in", "azure.callers",
)  # fmt: skip
"""Steps that ``down --keep-data`` keeps: what callers rely on to sign in tomorrow."""


def preflight(target: Target) -> None:
    """What can be seen to be wrong without asking anybody. Raises ``ConfigError``."""
    if target.settings.azure.enabled:
        from genai_platform.steps.azure.callers.settings import callers, publisher

        callers(target)
        publisher(target)


def steps(clients: Clients) -> list[Step]:
    """The family's steps; none when Azure is not configured."""
    if not clients.target.settings.azure.enabled:
        return []
    from genai_platform.render import sign_in
    from genai_platform.steps.azure import ingress
    from genai_platform.steps.azure.access import AccessStep
    from genai_platform.steps.azure.api import ApiStep
    from genai_platform.steps.azure.application import ApplicationStep
    from genai_platform.steps.azure.callers.step import CallersStep
    from genai_platform.steps.azure.check_applications import CheckApplicationsStep
    from genai_platform.steps.azure.group import GroupStep
    from genai_platform.steps.azure.model_access import ModelAccessStep
    from genai_platform.steps.azure.openai.step import OpenAiStep
    from genai_platform.steps.azure.policy import PolicyStep
    from genai_platform.steps.azure.service import ServiceStep
    from genai_platform.steps.azure.shared_key import SharedKeyStep
    from genai_platform.steps.azure.sign_in import SignInStep
    from genai_platform.steps.azure.vault import VaultStep

    models = (OpenAiStep,) if clients.target.settings.azure.openai else ()
    shared = (SharedKeyStep,) if clients.target.settings.azure.apim.keys == "shared" else ()
    access = (ModelAccessStep,) if clients.target.settings.litellm.keyless else ()
    first = (GroupStep, *models, *access, ApplicationStep, CheckApplicationsStep, VaultStep, ServiceStep, AccessStep, *shared)
    people = (SignInStep,) if sign_in.tools(clients.target.settings) else ()
    last = (*people, ApiStep, PolicyStep, CallersStep)
    return [*(kind(clients) for kind in first), ingress.step(clients), *(kind(clients) for kind in last)]
