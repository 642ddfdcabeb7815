"""What LiteLLM's role needs on Amazon Bedrock: AWS is asked what each configured id means in its region."""

from __future__ import annotations

from genai_platform.render.bedrock import policy
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws import bedrock
from genai_platform.tools.parallel import gather


def litellm_policy(clients: Clients) -> str | None:
    """The policy of LiteLLM's role, as JSON; ``None`` where no model of Amazon Bedrock is configured, and then nobody is asked.

    Raises:
        ConfigError: a region does not have a model or does not invoke it by this id, or the policy would be too long for IAM.
        GenaiError: AWS could not be asked.
    """
    wanted = sorted({(model.region, model.model) for model in clients.target.settings.litellm.bedrock})
    return policy(gather(wanted, lambda one: bedrock.find(clients.aws, *one)))


def look(clients: Clients) -> str:
    """That every configured model can be invoked, for people. Raises as ``litellm_policy``."""
    litellm_policy(clients)
    models = clients.target.settings.litellm.bedrock
    regions = ", ".join(sorted({model.region for model in models}))
    return f"{len(models)} {'model is' if len(models) == 1 else 'models are'} offered by Amazon Bedrock in {regions}"
