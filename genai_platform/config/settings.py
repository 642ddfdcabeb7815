"""What a person can configure, as one frozen, typed value. Secrets are never settings.

Each value is checked here by itself; what they say together is checked in ``config/consistency.py``. Both are asked by
``config/layers.py``, the one way that settings come in. What is written below a field is shown by editors, too
(``config/schema.py``).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from genai_platform.config import api_base, azure_models
from genai_platform.config.durations import DURATION
from genai_platform.config.names import NAME, NAME_LENGTH

_NOT_PUBLIC = [
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# A validator's error is what the value should have been: faults are told as "… is not allowed; expected …".
def _network(value: str) -> str:
    """The network as AWS writes it; one address becomes a network of one."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("a network, e.g. 203.0.113.0/24") from None


def _private(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        network = None
    if not isinstance(network, ipaddress.IPv4Network) or not 16 <= network.prefixlen <= 22 or not network.is_private:
        raise ValueError("a private IPv4 network from /16 to /22, e.g. 10.0.0.0/16")
    return value


def is_public(value: str) -> bool:
    """Whether a network is of IPv4 and not a private one: what EKS takes."""
    network = ipaddress.ip_network(value)
    return isinstance(network, ipaddress.IPv4Network) and not any(map(network.subnet_of, _NOT_PUBLIC))


def _public(value: str) -> str:
    if not is_public(_network(value)):
        raise ValueError("a public IPv4 network, e.g. 203.0.113.0/24")
    return _network(value)


def _plain(value: str) -> str:
    if "{{" in value or "}}" in value or "@" in value:
        raise ValueError("text without '@', '{{' and '}}'")
    return value


def _guid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("a GUID, e.g. 11111111-2222-3333-4444-555555555555") from None


def _address(value: Any) -> Any:
    """A portal's target URI becomes the address that it begins with."""
    return api_base.parse(value).address if isinstance(value, str) else value


def _base_model(value: str) -> str:
    """The model as Azure names it; LiteLLM's own way to write it is understood, too."""
    return _plain(value.removeprefix("azure/"))


def _moment(value: Any) -> Any:
    """TOML's own dates and times, and text that is one."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError("a date or time, e.g. 2027-03-31 or 2027-03-31T18:00:00Z") from None
    return value


Cidr = Annotated[str, AfterValidator(_network)]
PrivateCidr = Annotated[str, AfterValidator(_private)]
PublicCidr = Annotated[str, AfterValidator(_public)]
Guid = Annotated[str, AfterValidator(_guid)]
Name = Annotated[str, StringConstraints(max_length=NAME_LENGTH, pattern=rf"^{NAME}$")]
AwsRegion = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
AzureRegion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")]
ResourceGroup = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._()-]{1,89}[A-Za-z0-9_()-]$")]
CallerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
Host = Annotated[str, StringConstraints(min_length=4, max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\-\[\]]+(/[A-Za-z0-9._~/\-]*)?$")]
ApiBase = Annotated[HttpsUrl, BeforeValidator(_address), WithJsonSchema({"type": "string", "pattern": r"^\s*https?://"})]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain)]
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
"""``registry/repository:tag``, all of it said."""
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Moment = Annotated[str, BeforeValidator(_moment)]
Lasting = Annotated[str, StringConstraints(pattern=DURATION)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[smhd]$")]


class Platform(_Table):
    name: Name = "genai"
    """The first part of every name: lower-case letters and digits, single hyphens between, a letter first, at most 16."""
    region: AwsRegion = "ap-northeast-1"
    """The AWS region."""


class Aws(_Table):
    account_id: AccountId | None = None
    """The account this environment may touch. Required for a real environment."""


class TerraformState(_Table):
    backend: Literal["local", "s3"] = "local"
    """Where Terraform's state lies: in ``.genai/NAME/terraform/``, or in S3 with Terraform's own lock file."""
    bucket: str | None = None
    """With ``s3``: the bucket's name; default ``PREFIX-state-ACCOUNT``. The tool makes it."""


class Network(_Table):
    cidr: PrivateCidr = "10.0.0.0/16"
    """The VPC's private IPv4 network, /16 to /22."""
    zones: Annotated[Whole, Field(ge=2, le=6)] = 2
    """Availability zones; at most what the region has."""
    nat: Literal["single", "per-zone"] = "single"
    """One NAT gateway, or one in every zone."""


class Cluster(_Table):
    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]{2}$")] = "1.35"
    """The Kubernetes version, one that EKS offers in standard support."""
    admins: tuple[Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$")], ...] = ()
    """ARNs of roles and users who may also administer the cluster."""
    public_access_cidrs: tuple[PublicCidr, ...] = ()
    """Who may reach the Kubernetes API from the internet (with valid credentials). Empty: the public IPv4 networks of
    ``ingress.allowed_cidrs``, and where those are empty too, any: today's own address would lock you out tomorrow."""


class Ingress(_Table):
    allowed_cidrs: tuple[Cidr, ...] = ()
    """Who may reach LiteLLM and Langfuse. Empty: the address this command comes from."""
    domain: Host | None = None
    """A name inside a Route 53 zone; LiteLLM is ``litellm.DOMAIN``, Langfuse ``langfuse.DOMAIN``."""
    tls: Literal["auto", "none"] = "auto"
    """``none`` turns encryption off; refused when API Management is in front."""
    litellm_port: Port | None = None
    """LiteLLM's port. Default 443 (with ``tls = "none"``: 80)."""
    langfuse_port: Port | None = None
    """Langfuse's port. Default 443 with a domain, 8443 without (with ``tls = "none"``: 3000)."""
    gateway_port: Port = 8444
    """Where API Management comes in, a port of its own: the model routes and nothing else."""


API_VERSION = "2024-10-21"
"""The latest api-version of Azure OpenAI's data plane that is dated and no preview (Microsoft Learn, "API version lifecycle")."""


class Model(_Table):
    name: ModelName
    """What callers ask for; deployments of the same name are a group and share its load."""
    azure_deployment: ModelName
    """The deployment in Azure OpenAI."""
    base_model: Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_base_model)] | None = None
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


class Router(_Table):
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


class Fallbacks(_Table):
    """Model to the models that are asked instead, in their order; with LiteLLM's names."""

    fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When every deployment of the model failed."""
    context_window_fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When a request is too long for the model."""
    content_policy_fallbacks: dict[ModelName, tuple[ModelName, ...]] = {}
    """When the model's content filter refused a request."""


class Litellm(_Table):
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
    callback: Literal["langfuse_otel", "langfuse"] = "langfuse_otel"
    """How traces are sent to Langfuse; ``langfuse`` is for Langfuse 3 only."""

    @property
    def groups(self) -> dict[str, list[Model]]:
        """The deployments by the name that callers ask for."""
        found: dict[str, list[Model]] = {}
        for model in self.models:
            found.setdefault(model.name, []).append(model)
        return found


class Chart(_Table):
    version: Annotated[str, StringConstraints(pattern=r"^[12]\.[0-9]+\.[0-9]+$")] = "1.5.41"
    """``1.x.y``: Langfuse 3 with ClickHouse and ZooKeeper; ``2.x.y``: Langfuse 4 with the ClickHouse operator."""
    repository: str | None = None
    """A Helm repository. At most one of ``repository``, ``oci`` and ``path``; default: the publisher's."""
    oci: str | None = None
    """An OCI address, ``oci://…``."""
    path: Path | None = None
    """A chart on this machine, folder or archive."""

    @property
    def line(self) -> Literal[1, 2]:
        """1: Bitnami ClickHouse and ZooKeeper; 2: ClickHouse operator and Keeper."""
        return 2 if self.version.startswith("2.") else 1


class Langfuse(_Table):
    post_install: Literal["values", "patch", "none"] = "values"
    """Who gives Langfuse and ClickHouse their roles and ClickHouse its S3 disk: the chart's values, ``genai patch`` after the install,
    or nobody."""
    image_tag: Annotated[str, StringConstraints(pattern=r"^[34]\.[0-9]+\.[0-9]+$")] | None = None
    """A full version of the application; default: the one the chart was published with."""
    write_mode: Literal["legacy", "dual", "events_only"] = "events_only"
    """Chart line 2: which tables Langfuse 4 writes (``LANGFUSE_MIGRATION_V4_WRITE_MODE``)."""
    clickhouse_image: Image | None = None
    """ClickHouse's image where the chart's own cannot be had, e.g. a mirror's."""
    keeper_image: Image | None = None
    """The same of ZooKeeper (chart line 1) or Keeper (line 2)."""
    user_email: Email = "admin@example.com"
    """The first user; ``genai open langfuse --login`` shows the password."""
    chart: Chart = Chart()
    """Langfuse's Helm chart."""


class Apim(_Table):
    sku: Literal["Consumption", "Developer", "Basic", "Standard", "Premium", "BasicV2", "StandardV2"] = "BasicV2"
    """The tier of the service that the tool makes: one that the api-version 2024-05-01 has, which does not have PremiumV2."""
    existing: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]$")] | None = None
    """The name of a service to use instead; only this environment's objects in it are touched."""
    publisher_name: str = "genai"
    """Shown by the service."""
    publisher_email: Email | None = None
    """Where Azure writes about the service; needed where it is made."""
    path: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9/-]{0,80}$")] = "genai"
    """The first part of the API's path."""
    routes: tuple[Annotated[str, StringConstraints(pattern=r"^(GET|POST) /v1/[a-z0-9/_-]+$")], ...] = ()
    """Model routes in addition to the built-in five, e.g. ``POST /v1/rerank``."""
    streaming: Flag = True
    """Whether answers must be streamed."""
    keys: Literal["per-caller", "shared"] = "per-caller"
    """A LiteLLM key for each caller, or one for all."""
    unverified_backend: Flag = False
    """Without ``ingress.domain``: whether API Management may send to a load balancer whose certificate it cannot check."""


class Caller(_Table):
    models: tuple[ModelName, ...] = ()
    """What the caller may use; empty: every configured model."""
    max_budget: Annotated[float, Field(strict=True, gt=0)] | None = None
    """US dollars per ``budget_duration``."""
    budget_duration: Duration | None = None
    """A number with ``s``, ``m``, ``h`` or ``d``, e.g. ``30d``."""
    rpm_limit: Annotated[Whole, Field(gt=0)] | None = None
    """Requests a minute."""
    tpm_limit: Annotated[Whole, Field(gt=0)] | None = None
    """Tokens a minute."""
    expires: Moment | None = None
    """ISO 8601 date or time after which the key no longer works."""
    client_id: Guid | None = None
    """An existing application; default: the tool makes one with a secret."""


class Azure(_Table):
    enabled: Flag = False
    """Whether API Management is in front."""
    tenant_id: Guid | None = None
    """The Entra ID tenant this environment may touch. Required when enabled."""
    subscription_id: Guid | None = None
    """The Azure subscription this environment may touch. Required when enabled."""
    location: AzureRegion = "japaneast"
    """The region of vault and service."""
    resource_group: ResourceGroup | None = None
    """Default: the platform's prefix. One that the tool makes is removed by it; an existing one never."""
    auth: Literal["cli", "service_principal", "workload_identity", "managed_identity"] = "cli"
    """Who deploys: ``az login``; ``AZURE_CLIENT_ID`` with ``AZURE_CLIENT_SECRET``; the two federated kinds."""
    apim: Apim = Apim()
    """The API Management service and the API in it."""
    callers: Annotated[dict[CallerName, Caller], Field(json_schema_extra={"additionalProperties": False})] = {}
    """Who calls, by name: lower-case letters, digits and hyphens, at most 40."""


class Lifecycle(_Table):
    down: Literal["everything", "keep-data"] = "everything"
    """What ``genai down`` does without ``--keep-data``."""
    backup: Literal["checked", "smaller", "last"] = "checked"
    """With ``keep-data``: ``checked`` refuses to write a backup that holds less than the last one though nobody deleted anything;
    ``smaller`` writes it, beside the last one; ``last`` keeps the last one and writes none."""
    ends: Lasting | None = None
    """How long an environment is meant to exist, counted from the ``up`` that builds it, e.g. ``8h``: shown and warned of, and nothing
    is removed by itself. ``up --for`` wins."""


class Settings(_Table):
    """Everything a person can configure."""

    platform: Platform = Platform()
    """Name and region."""
    aws: Aws = Aws()
    """The AWS account."""
    terraform: TerraformState = TerraformState()
    """Where Terraform's state lies."""
    network: Network = Network()
    """The VPC."""
    cluster: Cluster = Cluster()
    """The EKS cluster."""
    ingress: Ingress = Ingress()
    """The load balancer: who comes in, by which names and ports."""
    litellm: Litellm = Litellm()
    """LiteLLM and its models."""
    langfuse: Langfuse = Langfuse()
    """Langfuse and its Helm chart."""
    azure: Azure = Azure()
    """API Management, Entra ID and Key Vault."""
    lifecycle: Lifecycle = Lifecycle()
    """What an evening keeps."""
