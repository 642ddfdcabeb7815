"""LiteLLM's settings: its models, how their deployments share the load, and which model stands in for another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from genai_platform.config import azure_models
from genai_platform.config.sign_in import Way
from genai_platform.config.values import ApiBase, BaseModelName, ModelName, Table, Whole

API_VERSION = "2024-10-21"
"""The latest api-version of Azure OpenAI's data plane that is dated and no preview (Microsoft Learn, "API version lifecycle")."""


class Model(Table):
    name: ModelName
    """What callers ask for; deployments of the same name are a group and share its load."""
    azure_deployment: ModelName
    """The deployment in Azure OpenAI."""
    base_model: BaseModelName | None = None
    """The model behind the deployment, e.g. ``gpt-4o``; not needed where the deployment is called like it."""
    api_base: ApiBase
    """The address of the Azure OpenAI resource, e.g. ``https://NAME.openai.azure.com``; of a portal's target URI the rest is dropped."""
    mode: Literal["chat", "completion", "embedding", "responses"] = "chat"
    """Which route the model serves; ``verify`` asks those that chat."""
    api_version: Annotated[
        str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$|^(v1|latest|preview)$"), Field(validate_default=True)
    ] = Field(default_factory=lambda known: default_api_version(known))
    """The api-version of Azure OpenAI. Default: the one that serves the route that the model is asked by."""
    api_key_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = "AZURE_API_KEY"
    """The environment variable the key is read from (the value itself is a secret, never a setting)."""
    weight: Annotated[Whole, Field(gt=0)] | None = None
    """In a group: this deployment's share of the requests, beside the others' weights."""
    rpm: Annotated[Whole, Field(gt=0)] | None = None
    """The deployment's quota of requests a minute; without ``weight``, its share follows from it."""
    tpm: Annotated[Whole, Field(gt=0)] | None = None
    """The deployment's quota of tokens a minute; without ``weight`` and ``rpm``, its share follows from it."""
    order: Annotated[Whole, Field(gt=0)] | None = None
    """In a group: those with the lowest number are asked first, the next ones where these fail."""

    @property
    def id(self) -> str:
        """The deployment's own name in LiteLLM: it can be asked by it past its group. ASCII, since it travels in a header."""
        said = "\n".join((self.name, self.azure_deployment, self.api_base, self.api_key_env))
        return f"{urlsplit(self.api_base).netloc}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    @property
    def priced(self) -> bool:
        """Whether LiteLLM has a price for it. Without one it costs nothing in its books, and no budget closes on it."""
        return self.model in azure_models.PRICED

    @property
    def model(self) -> str:
        """What LiteLLM takes it for: its base model, else what its deployment is called."""
        return self.base_model or self.azure_deployment


def default_api_version(model: Mapping[str, Any]) -> str:
    """The api-version of a model that names none."""
    return azure_models.RESPONSES_API_VERSION if needs_responses(model) else API_VERSION


def needs_responses(model: Mapping[str, Any]) -> bool:
    """Whether a model's table leads to ``/openai/responses``: LiteLLM asks some models there whatever route a caller takes."""
    called = str(model.get("base_model") or model.get("azure_deployment")).removeprefix("azure/")
    return model.get("mode") == "responses" or azure_models.PRICED.get(called) == "responses"


class Router(Table):
    """``router_settings`` of LiteLLM's proxy, with its names; what is not set is LiteLLM's own default."""

    routing_strategy: Literal["simple-shuffle", "least-busy", "usage-based-routing-v2", "latency-based-routing", "cost-based-routing"] = (
        "simple-shuffle"
    )
    """How a deployment of a group is chosen; ``weight``, ``rpm`` and ``tpm`` count in ``simple-shuffle``."""
    num_retries: Annotated[Whole, Field(ge=0, le=10)] | None = None
    """How often a failed request is sent again."""
    allowed_fails: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    """Failures in a minute until a deployment rests."""
    cooldown_time: Annotated[Whole, Field(ge=1, le=3600)] | None = None
    """Seconds that a deployment rests."""
    timeout: Annotated[Whole, Field(ge=1, le=3600)] | None = None
    """Seconds for a whole request, retries and fallbacks included."""


class Fallbacks(Table):
    """Model to the models that are asked instead, in their order; with LiteLLM's names."""

    fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When every deployment of the model failed."""
    context_window_fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When a request is too long for the model."""
    content_policy_fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When the model's content filter refused a request."""


class Litellm(Table):
    replicas: Annotated[Whole, Field(ge=1, le=50)] = 1
    """Pods of the proxy; with two or more no request is lost when they are exchanged."""
    image: str = "ghcr.io/berriai/litellm-database:v1.106.2"
    """The proxy's image; the migration job uses the same."""
    models: tuple[Model, ...] = ()
    """The models that are offered."""
    router: Router = Router()
    """How the deployments of one name share its load."""
    fallbacks: Fallbacks = Fallbacks()
    """Which model is asked where another one cannot answer."""
    sign_in: Way = "password"
    """How people sign in to LiteLLM's UI: by its own password, or with Entra ID (``[sign_in]``)."""
    callback: Literal["langfuse_otel", "langfuse"] = "langfuse_otel"
    """How traces are sent to Langfuse; ``langfuse`` is for Langfuse 3 only."""

    @property
    def groups(self) -> dict[str, list[Model]]:
        """The deployments by the name that callers ask for."""
        found: dict[str, list[Model]] = {}
        for model in self.models:
            found.setdefault(model.name, []).append(model)
        return found
