"""models.*: each deployment of each model answers once, past its group."""

from __future__ import annotations

from functools import partial

from genai_platform.advice import Advice, advice, genai
from genai_platform.checks.chats import flaw, line
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed
from genai_platform.config.model_checks import MODES, ids
from genai_platform.config.models import AzureModel, BedrockModel, Model
from genai_platform.errors import GenaiError


def checks(platform: Platform) -> list[Check]:
    """One for each deployment that chats or embeds, in the order of the configuration."""
    models = platform.settings.litellm.models
    named = zip(ids([model.name for model in models]), models, strict=True)
    return [FunctionCheck(id, 120, partial(_look, platform, model)) for id, model in named if model.mode in MODES]


def _look(platform: Platform, model: Model) -> Outcome:
    asked, where = platform.asked_by(model), f"{model.upstream} at {model.address}"
    try:
        if model.mode == "embedding":
            vector = platform.run.embedding(asked)
            if not any(vector):
                return failed(f"{where}: the embedding is empty", _advice(model))
            return passed(f"{where} gave an embedding of {len(vector)} numbers")
        answer = platform.run.chat(asked).answer
    except GenaiError as error:
        return failed(f"{where}: {error.message}", error.remedy or _advice(model))
    if seen := flaw(answer.text):
        return failed(f"{where}: {seen}", _advice(model))
    return passed(f"{where} answered in {answer.seconds:.1f} s: {line(answer.text)}")


def _advice(model: Model) -> Advice:
    if isinstance(model, BedrockModel):
        return advice(
            "check in the console of Amazon Bedrock that the account has access to that model in {}; where LiteLLM's role lacks the right, "
            "run: {}",
            model.region,
            genai("infra --only infra.cluster"),
        )
    if isinstance(model, AzureModel) and model.auth == "entra":
        return advice(
            "check api_base and azure_deployment; whether LiteLLM may use the account: {}; then run: {}",
            genai("verify --only models.keyless"),
            genai("azure --only model_access"),
        )
    keys = "api_base, azure_deployment" if isinstance(model, AzureModel) else "api_base, model"
    return advice("check {} and the key of that model; run: {}", keys, genai("litellm"))
