"""models.*: each deployment of each model answers once, past its group."""

from __future__ import annotations

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
    return [FunctionCheck(id, 120, _Look(platform, model)) for id, model in named if model.mode in MODES]


class _Look:
    """A look at one deployment."""

    def __init__(self, platform: Platform, model: Model) -> None:
        self._platform, self._model = platform, model
        self._asked = platform.asked_by(model)

    def __call__(self) -> Outcome:
        model = self._model
        try:
            return self._embedding() if model.mode == "embedding" else self._chat()
        except GenaiError as error:
            return failed(f"{model.upstream} at {model.address}: {error.message}", error.remedy or _advice(model))

    def _chat(self) -> Outcome:
        model, answer = self._model, self._platform.run.chat(self._asked).answer
        if seen := flaw(answer.text):
            return failed(f"{model.upstream} at {model.address}: {seen}", _advice(model))
        return passed(f"{model.upstream} at {model.address} answered in {answer.seconds:.1f} s: {line(answer.text)}")

    def _embedding(self) -> Outcome:
        model, vector = self._model, self._platform.run.embedding(self._asked)
        if not any(vector):
            return failed(f"{model.upstream} at {model.address}: the embedding is empty", _advice(model))
        return passed(f"{model.upstream} at {model.address} gave an embedding of {len(vector)} numbers")


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
