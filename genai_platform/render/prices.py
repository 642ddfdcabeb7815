"""What LiteLLM's books will not show: models without a price, and the budgets that therefore never close. Pure."""

from __future__ import annotations

from genai_platform.config.azure_models import VERSION
from genai_platform.config.models import AzureModel, BedrockModel, Model
from genai_platform.config.settings import Settings


def notices(settings: Settings) -> list[str]:
    """A line for each model that LiteLLM has no price for, for people."""
    return [_notice(settings, model) for model in settings.litellm.models if not model.priced]


def _notice(settings: Settings, model: Model) -> str:
    base = None if isinstance(model, BedrockModel) else model.base_model
    called = f"a deployment called '{model.upstream}'" if isinstance(model, AzureModel) else f"'{model.upstream}'"
    said = f"the base model '{base}'" if base else called
    if isinstance(model, BedrockModel):
        advice = "use a model that it knows, or give the price in litellm.extra_config"
    else:
        advice = "correct base_model, unless it is newer than that" if base else "set base_model, e.g. gpt-4o"
    # What callers with a budget who may use it spend on it is not counted.
    known = settings.azure.callers if settings.azure.enabled else {}
    callers = sorted(name for name, one in known.items() if one.max_budget is not None and (not one.models or model.name in one.models))
    budgets = f", and the budget of {', '.join(callers)} may never close" if callers else ""
    return f"model '{model.name}' has no price: LiteLLM {VERSION} knows none for {said}; its chats may count as free{budgets}; {advice}"
