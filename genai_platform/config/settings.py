"""What a person can configure, as one frozen, typed value. Secrets are never settings.

What a single value may be is in ``config/values.py``, what values say together in ``config/consistency.py``. Both are asked by
``config/layers.py``, the one way that settings come in. What is written below a field is shown by editors, too
(``config/schema.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from genai_platform.config import azure_openai, model_defaults, values
from genai_platform.config.merged import table
from genai_platform.config.models import Litellm, with_regions
from genai_platform.config.sign_in import SignIn, Way


class Platform(values.Table):
    name: values.Name = "genai"
    """The first part of every name: lower-case letters and digits, single hyphens between, a letter first, at most 16."""
    region: values.AwsRegion = values.REGION
    """The AWS region."""


class Aws(values.Table):
    account_id: values.AccountId | None = None
    """The account this environment may touch. Required for a real environment."""


class TerraformState(values.Table):
    backend: Literal["local", "s3"] = "local"
    """Where Terraform's state lies: in ``.genai/NAME/terraform/``, or in S3 with Terraform's own lock file."""
    bucket: str | None = None
    """With ``s3``: the bucket's name; default ``PREFIX-state-ACCOUNT``. The tool makes it."""


class Network(values.Table):
    cidr: values.PrivateCidr = "10.0.0.0/16"
    """The VPC's private IPv4 network, /16 to /22."""
    zones: Annotated[values.Whole, Field(ge=2, le=6)] = 2
    """Availability zones; at most what the region has."""
    nat: Literal["single", "per-zone"] = "single"
    """One NAT gateway, or one in every zone."""


class Cluster(values.Table):
    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]{2}$")] = "1.35"
    """The Kubernetes version, one that EKS offers in standard support."""
    admins: tuple[Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$")], ...] = ()
    """ARNs of roles and users who may also administer the cluster."""
    public_access_cidrs: tuple[values.PublicCidr, ...] = ()
    """Who may reach the Kubernetes API from the internet (with valid credentials). Empty: the public IPv4 networks of
    ``ingress.allowed_cidrs``, and where those are empty too, any: today's own address would lock you out tomorrow."""


class Ingress(values.Table):
    allowed_cidrs: tuple[values.Cidr, ...] = ()
    """Who may reach LiteLLM and Langfuse. Empty: the address this command comes from."""
    domain: values.Host | None = None
    """A name inside a Route 53 zone; LiteLLM is ``litellm.DOMAIN``, Langfuse ``langfuse.DOMAIN``."""
    tls: Literal["auto", "none"] = "auto"
    """``none`` turns encryption off; refused when API Management is in front."""
    litellm_port: values.Port | None = None
    """LiteLLM's port. Default 443 (with ``tls = "none"``: 80)."""
    langfuse_port: values.Port | None = None
    """Langfuse's port. Default 443 with a domain, 8443 without (with ``tls = "none"``: 3000)."""
    gateway_port: values.Port = 8444
    """Where API Management comes in, a port of its own: the model routes and nothing else."""


class Chart(values.Table):
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


class Langfuse(values.Table):
    post_install: Literal["values", "patch", "none"] = "values"
    """Who gives Langfuse and ClickHouse their roles and ClickHouse its S3 disk: the chart's values, ``genai patch`` after the install,
    or nobody."""
    image_tag: Annotated[str, StringConstraints(pattern=r"^[34]\.[0-9]+\.[0-9]+$")] | None = None
    """A full version of the application; default: the one the chart was published with."""
    write_mode: Literal["legacy", "dual", "events_only"] = "events_only"
    """Chart line 2: which tables Langfuse 4 writes (``LANGFUSE_MIGRATION_V4_WRITE_MODE``)."""
    clickhouse_image: values.Image | None = None
    """ClickHouse's image where the chart's own cannot be had, e.g. a mirror's."""
    keeper_image: values.Image | None = None
    """The same of ZooKeeper (chart line 1) or Keeper (line 2)."""
    user_email: values.Email = "admin@example.com"
    """The first user, who owns the organisation; ``genai open langfuse --login`` shows the password."""
    sign_in: Way = "password"
    """How people sign in: with passwords that Langfuse keeps, or with Entra ID (``[sign_in]``)."""
    password_sign_in: values.Flag | None = None
    """Whether passwords open Langfuse. Default: not with ``sign_in = "entra"``. With both, only people who have an account already get
    in: Langfuse makes no account while signing up is closed."""
    chart: Chart = Chart()
    """Langfuse's Helm chart."""

    @property
    def passwords(self) -> bool:
        """Whether passwords open Langfuse."""
        return self.sign_in == "password" if self.password_sign_in is None else self.password_sign_in


class Apim(values.Table):
    sku: Literal["Consumption", "Developer", "Basic", "Standard", "Premium", "BasicV2", "StandardV2"] = "BasicV2"
    """The tier of the service that the tool makes: one that the api-version 2024-05-01 has, which does not have PremiumV2."""
    existing: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]$")] | None = None
    """The name of a service to use instead; only this environment's objects in it are touched."""
    publisher_name: str = "genai"
    """Shown by the service."""
    publisher_email: values.Email | None = None
    """Where Azure writes about the service; needed where it is made."""
    path: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9/-]{0,80}$")] = "genai"
    """The first part of the API's path."""
    routes: tuple[Annotated[str, StringConstraints(pattern=r"^(GET|POST) /v1/[a-z0-9/_-]+$")], ...] = ()
    """Model routes in addition to the built-in five, e.g. ``POST /v1/rerank``."""
    streaming: values.Flag = True
    """Whether answers must be streamed."""
    keys: Literal["per-caller", "shared"] = "per-caller"
    """A LiteLLM key for each caller, or one for all."""
    unverified_backend: values.Flag = False
    """Without ``ingress.domain``: whether API Management may send to a load balancer whose certificate it cannot check."""


class Caller(values.Table):
    models: tuple[values.ModelName, ...] = ()
    """What the caller may use; empty: every configured model."""
    max_budget: Annotated[float, Field(strict=True, gt=0)] | None = None
    """US dollars per ``budget_duration``."""
    budget_duration: values.Duration | None = None
    """A number with ``s``, ``m``, ``h`` or ``d``, e.g. ``30d``."""
    rpm_limit: Annotated[values.Whole, Field(gt=0)] | None = None
    """Requests a minute."""
    tpm_limit: Annotated[values.Whole, Field(gt=0)] | None = None
    """Tokens a minute."""
    expires: values.Moment | None = None
    """ISO 8601 date or time after which the key stops working."""
    client_id: values.Guid | None = None
    """An existing application; default: the tool makes one with a secret."""


class Azure(values.Table):
    enabled: values.Flag = False
    """Whether API Management is in front."""
    tenant_id: values.Guid | None = None
    """The Entra ID tenant this environment may touch. Required when enabled."""
    subscription_id: values.Guid | None = None
    """The Azure subscription this environment may touch. Required when enabled."""
    location: values.AzureRegion = "japaneast"
    """The region of vault and service."""
    resource_group: values.ResourceGroup | None = None
    """Default: the platform's prefix. One that the tool makes is removed by it; an existing one never."""
    auth: Literal["cli", "service_principal", "workload_identity", "managed_identity"] = "cli"
    """Who deploys: ``az login``; ``AZURE_CLIENT_ID`` with ``AZURE_CLIENT_SECRET``; the two federated kinds."""
    apim: Apim = Apim()
    """The API Management service and the API in it."""
    openai: azure_openai.OpenAi | None = None
    """An account of Azure OpenAI and its deployments, made where they do not exist."""
    callers: Annotated[dict[values.CallerName, Caller], Field(json_schema_extra={"additionalProperties": False})] = {}
    """Who calls, by name: lower-case letters, digits and hyphens, at most 40."""


class Lifecycle(values.Table):
    down: Literal["everything", "keep-data"] = "everything"
    """What ``genai down`` does without ``--keep-data``."""
    backup: Literal["checked", "smaller", "last"] = "checked"
    """With ``keep-data``: ``checked`` refuses to write a backup that holds less than the last one though nobody deleted anything;
    ``smaller`` writes it next to the last one; ``last`` keeps the last one and writes none."""
    ends: values.Lasting | None = None
    """How long an environment is meant to exist, counted from the ``up`` that builds it, e.g. ``8h``: shown and warned of, and nothing
    is removed by itself. ``up --for`` wins."""


class Settings(values.Table):
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
    sign_in: SignIn = SignIn()
    """Who may sign in with Entra ID."""
    azure: Azure = Azure()
    """API Management, Entra ID and Key Vault."""
    lifecycle: Lifecycle = Lifecycle()
    """What an evening keeps."""

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, given: Any) -> Any:
        """What follows from another table: a model of Amazon Bedrock that names no region is asked in the platform's."""
        given = model_defaults.completed(given)
        litellm, region = table(given, "litellm"), table(given, "platform").get("region", values.REGION)
        models = litellm.get("models")
        if not isinstance(models, list | tuple) or not isinstance(region, str):
            return given
        return {**given, "litellm": {**litellm, "models": with_regions(models, region)}}
