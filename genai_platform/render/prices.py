"""What LiteLLM's books will not show: models without a price, and the budgets that therefore never close. Pure."""

from __future__ import annotations

from genai_platform.config.azure_models import VERSION
from genai_platform.config.models import Model
from genai_platform.config.settings import Settings


def notices(settings: Settings) -> list[str]:
    """A line for each model that LiteLLM has no price for, for people."""
    return [_notice(settings, model) for model in settings.litellm.models if not model.priced]


def never_closing(settings: Settings, model: Model) -> list[str]:
    """Callers with a budget who may use a model; what they spend on it is not counted."""
    callers = settings.azure.callers if settings.azure.enabled else {}
    return sorted(name for name, one in callers.items() if one.max_budget is not None and (not one.models or model.name in one.models))


def _notice(settings: Settings, model: Model) -> str:
    said = f"the base model '{model.base_model}'" if model.base_model else f"a deployment called '{model.azure_deployment}'"
    advice = "set base_model, e.g. gpt-4o" if model.base_model is None else "correct base_model, unless it is newer than that"
    callers = never_closing(settings, model)
    budgets = f", and the budget of {', '.join(callers)} may never close" if callers else ""
    return f"model '{model.name}' has no price: LiteLLM {VERSION} knows none for {said}; its chats may count as free{budgets}; {advice}"
