"""LiteLLM's settings: its models, how their deployments share the load, and which model stands in for another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    InstanceOf,
    PlainSerializer,
    StringConstraints,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from genai_platform.config import azure_models, priced_models, values
from genai_platform.config.extra_config import ExtraConfig
from genai_platform.config.sign_in import Way

API_VERSION = "2024-10-21"
"""The latest api-version of Azure OpenAI's data plane that is dated and no preview (Microsoft Learn, "API version lifecycle")."""

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class _Deployment(values.Table):
    """What every model has, from any provider."""

    name: values.ModelName
    """What callers ask for; deployments of the same name are a group and share its load."""
    weight: Annotated[values.Whole, Field(gt=0)] | None = None
    """In a group: this deployment's share of the requests, beside the others' weights."""
    rpm: Annotated[values.Whole, Field(gt=0)] | None = None
    """The deployment's quota of requests a minute; without ``weight``, its share follows from it."""
    tpm: Annotated[values.Whole, Field(gt=0)] | None = None
    """The deployment's quota of tokens a minute; without ``weight`` and ``rpm``, its share follows from it."""
    order: Annotated[values.Whole, Field(gt=0)] | None = None
    """In a group: those with the lowest number are asked first, the next ones where these fail."""


class AzureModel(_Deployment):
    """A deployment in Azure OpenAI."""

    provider: Literal["azure"] = "azure"
    """Who serves the model: Azure OpenAI, an address with OpenAI's API, or Amazon Bedrock."""
    azure_deployment: values.ModelName
    """The deployment in Azure OpenAI."""
    base_model: values.BaseModelName | None = None
    """The model behind the deployment, e.g. ``gpt-4o``; not needed where the deployment is called like it."""
    api_base: values.ApiBase
    """The address of the Azure OpenAI resource, e.g. ``https://NAME.openai.azure.com``; of a portal's target URI the rest is dropped."""
    mode: Literal["chat", "completion", "embedding", "responses"] = "chat"
    """Which route the model serves; ``verify`` asks those that chat."""
    api_version: Annotated[
        str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$|^(v1|latest|preview)$"), Field(validate_default=True)
    ] = Field(default_factory=lambda known: default_api_version(known))
    """The api-version of Azure OpenAI. Default: the one that serves the route that the model is asked by."""
    auth: Literal["key", "entra"] = "key"
    """How LiteLLM signs in to Azure OpenAI: with an API key, or as an Entra application that trusts its service account, without one.
    Default: ``entra`` at the account of ``azure.openai`` unless ``api_key_env`` is set, else ``key``."""
    api_key_env: Variable = "AZURE_API_KEY"
    """The environment variable the key is read from (the value itself is a secret, never a setting)."""

    @property
    def upstream(self) -> str:
        """What the provider calls it."""
        return self.azure_deployment

    @property
    def address(self) -> str:
        """Where it is served, for people."""
        return self.api_base

    @property
    def key_variable(self) -> str | None:
        """The environment variable its key comes from; ``None`` for a model that needs no key."""
        return self.api_key_env if self.auth == "key" else None

    @property
    def id(self) -> str:
        """The deployment's own name in LiteLLM: it can be asked by it past its group. ASCII, since it travels in a header."""
        return _id(urlsplit(self.api_base).netloc, self.name, self.azure_deployment, self.api_base, self.key_variable or self.auth)

    @property
    def priced_as(self) -> str:
        """What LiteLLM takes it for: its base model, else what its deployment is called."""
        return self.base_model or self.azure_deployment

    @property
    def priced(self) -> bool:
        """Whether LiteLLM has a price for it. Without one it costs nothing in its books, and no budget closes on it."""
        return self.priced_as in azure_models.PRICED


class OpenAIModel(_Deployment):
    """A model at an address with OpenAI's API: OpenAI itself, vLLM, Microsoft Foundry's ``/openai/v1``."""

    provider: Literal["openai"]
    """Who serves the model: Azure OpenAI, an address with OpenAI's API, or Amazon Bedrock."""
    model: values.ModelName
    """The model as its provider names it: OpenAI's model id, or an id of Amazon Bedrock."""
    base_model: values.BaseModelName | None = None
    """The model whose price counts, as OpenAI names it; not needed where the model is called like it."""
    api_base: values.OpenAIBase = "https://api.openai.com/v1"
    """The address that OpenAI's routes begin with, e.g. ``https://api.openai.com/v1``."""
    mode: Literal["chat", "completion", "embedding", "responses"] = "chat"
    """Which route the model serves; ``verify`` asks those that chat."""
    api_key_env: Variable = "OPENAI_API_KEY"
    """The environment variable the key is read from (the value itself is a secret, never a setting)."""

    # Properties: see AzureModel.
    @property
    def upstream(self) -> str:
        return self.model

    @property
    def address(self) -> str:
        return self.api_base

    @property
    def key_variable(self) -> str | None:
        return self.api_key_env

    @property
    def id(self) -> str:
        return _id(urlsplit(self.api_base).netloc, self.name, self.model, self.api_base, self.api_key_env)

    @property
    def priced_as(self) -> str:
        return self.base_model or self.model

    @property
    def priced(self) -> bool:
        return self.priced_as in priced_models.OPENAI


class BedrockModel(_Deployment):
    """A foundation model or an inference profile of Amazon Bedrock, invoked with LiteLLM's own role."""

    provider: Literal["bedrock"]
    """Who serves the model: Azure OpenAI, an address with OpenAI's API, or Amazon Bedrock."""
    model: values.BedrockId
    """The model as its provider names it: OpenAI's model id, or an id of Amazon Bedrock."""
    region: values.AwsRegion = Field(default_factory=str)
    """The AWS region in which Amazon Bedrock is asked. Default: the application inference profile's, else ``platform.region``."""
    application_inference_profile: values.ApplicationProfile | None = None
    """The ARN of an application inference profile of ``model``, which is invoked in the model's place: AWS books costs on its tags."""
    mode: Literal["chat", "embedding"] = "chat"
    """Which route the model serves; ``verify`` asks those that chat."""

    @field_validator("application_inference_profile")
    @classmethod
    def _in_region(cls, value: str | None, known: ValidationInfo) -> str | None:
        region = known.data.get("region")
        if value and region and value.split(":")[3] != region:
            raise ValueError(f"an ARN in {region}, the model's region")
        return value

    # Properties: see AzureModel.
    @property
    def upstream(self) -> str:
        return self.model

    @property
    def invoked(self) -> str:
        """The id or the ARN by which it is invoked."""
        return self.application_inference_profile or self.model

    @property
    def address(self) -> str:
        through = f" through {self.invoked.rpartition(':')[2]}" if self.application_inference_profile else ""
        return f"Amazon Bedrock in {self.region}{through}"

    @property
    def key_variable(self) -> None:
        """It needs no key."""

    @property
    def id(self) -> str:
        return _id(f"bedrock-{self.region}", self.name, self.invoked, self.region)

    @property
    def priced_as(self) -> str:
        return self.model

    @property
    def priced(self) -> bool:
        return self.is_priced(self.model)

    @staticmethod
    def is_priced(id: str) -> bool:
        """Whether LiteLLM has a price for an id of Amazon Bedrock; an inference profile's is its model's."""
        return not priced_models.BEDROCK.isdisjoint({id, id.partition(".")[2]})


Model = AzureModel | OpenAIModel | BedrockModel
PROVIDERS: dict[str, type[Model]] = {"azure": AzureModel, "openai": OpenAIModel, "bedrock": BedrockModel}


def _provider(value: Any) -> Any:
    """Whose model it is; one that names no provider is Azure OpenAI's."""
    return value.get("provider", "azure") if isinstance(value, Mapping) else getattr(value, "provider", None)


AnyModel = Annotated[
    Annotated[AzureModel, Tag("azure")] | Annotated[OpenAIModel, Tag("openai")] | Annotated[BedrockModel, Tag("bedrock")],
    Discriminator(_provider),
]


def with_regions(models: Sequence[Any], region: str) -> list[Any]:
    """The tables of models; those of Amazon Bedrock that name no region get their application inference profile's, or else this one."""
    return [
        {"region": _region_of(one.get("application_inference_profile")) or region, **one}
        if isinstance(one, Mapping) and one.get("provider") == "bedrock"
        else one
        for one in models
    ]


def _region_of(arn: Any) -> str:
    """The region in an ARN; empty where it has none."""
    parts = arn.split(":") if isinstance(arn, str) else []
    return parts[3] if len(parts) > 3 else ""


def _id(place: str, *said: str) -> str:
    return f"{place}-{hashlib.sha256(chr(10).join(said).encode()).hexdigest()[:8]}"


def default_api_version(model: Mapping[str, Any]) -> str:
    """The api-version of a model that names none."""
    return azure_models.RESPONSES_API_VERSION if needs_responses(model) else API_VERSION


def needs_responses(model: Mapping[str, Any]) -> bool:
    """Whether a model's table leads to ``/openai/responses``: LiteLLM asks some models there whatever route a caller takes."""
    called = str(model.get("base_model") or model.get("azure_deployment")).removeprefix("azure/")
    return model.get("mode") == "responses" or azure_models.PRICED.get(called) == "responses"


class Router(values.Table):
    """``router_settings`` of LiteLLM's proxy, with its names; what is not set is LiteLLM's own default."""

    routing_strategy: Literal["simple-shuffle", "least-busy", "usage-based-routing-v2", "latency-based-routing", "cost-based-routing"] = (
        "simple-shuffle"
    )
    """How a deployment of a group is chosen; ``weight``, ``rpm`` and ``tpm`` count in ``simple-shuffle``."""
    num_retries: Annotated[values.Whole, Field(ge=0, le=10)] | None = None
    """How often a failed request is sent again."""
    allowed_fails: Annotated[values.Whole, Field(ge=0, le=1000)] | None = None
    """Failures in a minute until a deployment rests."""
    cooldown_time: Annotated[values.Whole, Field(ge=1, le=3600)] | None = None
    """Seconds that a deployment rests."""
    timeout: Annotated[values.Whole, Field(ge=1, le=3600)] | None = None
    """Seconds for a whole request, retries and fallbacks included."""


class Fallbacks(values.Table):
    """Model to the models that are asked instead, in their order; with LiteLLM's names."""

    fallbacks: dict[values.ModelName, tuple[values.ModelName, ...]] = {}
    """When every deployment of the model failed."""
    context_window_fallbacks: dict[values.ModelName, tuple[values.ModelName, ...]] = {}
    """When a request is too long for the model."""
    content_policy_fallbacks: dict[values.ModelName, tuple[values.ModelName, ...]] = {}
    """When the model's content filter refused a request."""


ExtraFile = Annotated[
    InstanceOf[ExtraConfig],
    # A path that nobody read is of a configuration that is looked at without its files.
    BeforeValidator(lambda value: ExtraConfig(value) if isinstance(value, str) else value),
    PlainSerializer(lambda file: file.path, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class Litellm(values.Table):
    replicas: Annotated[values.Whole, Field(ge=1, le=50)] = 1
    """Pods of the proxy; with two or more no request is lost when they are exchanged."""
    image: str = "ghcr.io/berriai/litellm-database:v1.106.2"
    """The proxy's image; the migration job uses the same."""
    models: tuple[AnyModel, ...] = ()
    """The models that are offered."""
    router: Router = Router()
    """How the deployments of one name share its load."""
    fallbacks: Fallbacks = Fallbacks()
    """Which model is asked where another one cannot answer."""
    extra_config: ExtraFile | None = None
    """A YAML file, relative to the folder of genai.toml, whose content is added to LiteLLM's own configuration file."""
    sign_in: Way = "password"
    """How people sign in to LiteLLM's UI: by its own password, or with Entra ID (``[sign_in]``)."""
    callback: Literal["langfuse_otel", "langfuse"] = "langfuse_otel"
    """How traces are sent to Langfuse; ``langfuse`` is for Langfuse 3 only."""

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that the models' keys and the secrets of ``extra_config`` come from, sorted."""
        keys = {variable for model in self.models if (variable := model.key_variable)}
        return tuple(sorted(keys.union(self.extra_config.variables if self.extra_config else ())))

    @property
    def names(self) -> tuple[str, ...]:
        """What callers can ask for: the models, and those that ``extra_config`` adds."""
        return (*self.groups, *(self.extra_config.model_names if self.extra_config else ()))

    @property
    def keyless(self) -> tuple[AzureModel, ...]:
        """The models of Azure OpenAI that are asked with tokens of Entra ID instead of keys."""
        return tuple(model for model in self.models if isinstance(model, AzureModel) and model.auth == "entra")

    @property
    def bedrock(self) -> tuple[BedrockModel, ...]:
        """The models of Amazon Bedrock."""
        return tuple(model for model in self.models if isinstance(model, BedrockModel))

    @property
    def groups(self) -> dict[str, list[Model]]:
        """The deployments by the name that callers ask for."""
        found: dict[str, list[Model]] = {}
        for model in self.models:
            found.setdefault(model.name, []).append(model)
        return found
