"""What LiteLLM's role needs on Amazon Bedrock: AWS is asked what each configured id means in its region."""

from __future__ import annotations

from genai_platform.config.models import BedrockModel
from genai_platform.errors import ConfigError
from genai_platform.render.bedrock import Invocable, policy
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws import bedrock
from genai_platform.tools.parallel import gather


def litellm_policy(clients: Clients) -> str | None:
    """The policy of LiteLLM's role, as JSON; ``None`` where no model of Amazon Bedrock is configured, and then nobody is asked.

    Raises:
        ConfigError: a region does not have a model or does not invoke it by this id, an application inference profile is another
            model's, or the policy would be too long for IAM.
        GenaiError: AWS could not be asked.
    """
    models = clients.target.settings.litellm.bedrock
    wanted = sorted({(model.region, model.invoked) for model in models})
    found = dict(zip(wanted, gather(wanted, lambda one: bedrock.find(clients.aws, *one)), strict=True))
    for model in models:
        _confirm(model, found[model.region, model.invoked])
    return policy(found.values())


def _confirm(model: BedrockModel, found: Invocable) -> None:
    """An application inference profile is of the configured model: LiteLLM writes requests, and books prices, of that one."""
    behind = {arn.rpartition("/")[2] for arn in found.model_arns}
    if model.application_inference_profile and behind.isdisjoint({model.model, model.model.partition(".")[2]}):
        raise ConfigError(
            f"the model '{model.name}' is configured as {model.model}, but its application inference profile leads to "
            f"{', '.join(sorted(behind))}",
            remedy="correct model, or application_inference_profile",
            id="bedrock.other_model",
        )


def look(clients: Clients) -> str:
    """That every configured model can be invoked, for people. Raises as ``litellm_policy``."""
    litellm_policy(clients)
    models = clients.target.settings.litellm.bedrock
    regions = ", ".join(sorted({model.region for model in models}))
    return f"{len(models)} {'model is' if len(models) == 1 else 'models are'} offered by Amazon Bedrock in {regions}"
