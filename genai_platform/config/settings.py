"""What a person can configure, as one frozen, typed value. Secrets are never settings."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_NOT_PUBLIC = [
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


def is_public(value: str) -> bool:
    """Whether a network is of IPv4 and not a private one: what EKS takes."""
    network = ipaddress.ip_network(value)
    return isinstance(network, ipaddress.IPv4Network) and not any(map(network.subnet_of, _NOT_PUBLIC))


def _public(value: str) -> str:
    if not is_public(value):
        raise ValueError("must be a public IPv4 network")
    return value


def _plain(value: str) -> str:
    if "{{" in value or "}}" in value or "@" in value:
        raise ValueError("must not contain '@', '{{' or '}}'")
    return value


def _guid(value: str) -> str:
    return str(UUID(value))


Cidr = Annotated[str, AfterValidator(_network)]
PublicCidr = Annotated[str, AfterValidator(_public)]
Guid = Annotated[str, AfterValidator(_guid)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,15}$")]
Host = Annotated[str, StringConstraints(min_length=4, max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\-\[\]]+(/[A-Za-z0-9._~/\-]*)?$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain)]
Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[smhd]$")]


class Platform(_Table):
    name: Name = "genai"
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = "ap-northeast-1"


class Aws(_Table):
    account_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] | None = None
    """The account this environment may touch. Required for a real environment."""


class TerraformState(_Table):
    backend: Literal["local", "s3"] = "local"
    bucket: str | None = None
    """With ``s3``: the bucket's name; default ``PREFIX-state-ACCOUNT``. The tool makes it."""


class Network(_Table):
    cidr: Cidr = "10.0.0.0/16"
    zones: Annotated[int, Field(ge=2, le=6)] = 2
    nat: Literal["single", "per-zone"] = "single"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        network = ipaddress.ip_network(self.cidr)
        if network.version != 4 or not 16 <= network.prefixlen <= 22:
            raise ValueError(f"network.cidr: {self.cidr} must be an IPv4 network from /16 to /22")
        if not network.is_private:
            raise ValueError(f"network.cidr: {self.cidr} must be a private network")
        return self


class Cluster(_Table):
    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]{2}$")] = "1.35"
    admins: tuple[Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$")], ...] = ()
    public_access_cidrs: tuple[PublicCidr, ...] = ()
    """Who may reach the Kubernetes API from the internet (with valid credentials). Empty: the public IPv4 networks of
    ``ingress.allowed_cidrs``, and where those are empty too, any: the address of the day would lock tomorrow's out."""


class Ingress(_Table):
    allowed_cidrs: tuple[Cidr, ...] = ()
    """Empty: the address this command comes from."""
    domain: Host | None = None
    """A name inside a Route 53 zone; LiteLLM is ``litellm.DOMAIN``, Langfuse ``langfuse.DOMAIN``."""
    tls: Literal["auto", "none"] = "auto"
    litellm_port: Port | None = None
    """Default 443 (with ``tls = "none"``: 80)."""
    langfuse_port: Port | None = None
    """Default 443 with a domain, 8443 without (with ``tls = "none"``: 3000)."""


class Model(_Table):
    name: ModelName
    azure_deployment: ModelName
    api_base: HttpsUrl
    api_version: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$|^(v1|latest|preview)$")] = "2024-10-21"
    mode: Literal["chat", "completion", "embedding", "responses"] = "chat"
    api_key_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = "AZURE_API_KEY"
    """The environment variable the key is read from (the value itself is a secret, never a setting)."""


class Litellm(_Table):
    replicas: Annotated[int, Field(ge=1, le=50)] = 1
    image: str = "ghcr.io/berriai/litellm-database:v1.106.2"
    models: tuple[Model, ...] = ()
    callback: Literal["langfuse_otel", "langfuse"] = "langfuse_otel"

    @model_validator(mode="after")
    def _unique(self) -> Self:
        seen: set[str] = set()
        for model in self.models:
            if model.name in seen:
                raise ValueError(f"litellm.models: the name '{model.name}' is used twice; every model needs its own name")
            seen.add(model.name)
        return self


class Chart(_Table):
    version: Annotated[str, StringConstraints(pattern=r"^[12]\.[0-9]+\.[0-9]+$")] = "1.5.41"
    repository: str | None = None
    oci: str | None = None
    path: Path | None = None

    @property
    def line(self) -> Literal[1, 2]:
        """1: Bitnami ClickHouse and ZooKeeper; 2: ClickHouse operator and Keeper."""
        return 2 if self.version.startswith("2.") else 1

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("repository", "oci", "path") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"langfuse.chart: give one of repository, oci and path, not {' and '.join(given)}")
        return self


class Langfuse(_Table):
    post_install: Literal["values", "patch", "none"] = "values"
    image_tag: str = "3.135.0"
    user_email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] = "admin@example.com"
    chart: Chart = Chart()


class Apim(_Table):
    sku: Literal["Consumption", "Developer", "Basic", "Standard", "Premium", "BasicV2", "StandardV2", "PremiumV2"] = "BasicV2"
    existing: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]$")] | None = None
    publisher_name: str = "genai"
    publisher_email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] = "admin@example.com"
    path: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9/-]{0,80}$")] = "genai"
    routes: tuple[Annotated[str, StringConstraints(pattern=r"^(GET|POST) /v1/[a-z0-9/_-]+$")], ...] = ()
    """Model routes besides the built-in five, e.g. ``POST /v1/rerank``."""
    streaming: bool = True
    keys: Literal["per-caller", "shared"] = "per-caller"


class Caller(_Table):
    models: tuple[ModelName, ...] = ()
    max_budget: Annotated[float, Field(gt=0)] | None = None
    budget_duration: Duration | None = None
    rpm_limit: Annotated[int, Field(gt=0)] | None = None
    tpm_limit: Annotated[int, Field(gt=0)] | None = None
    expires: str | None = None
    """ISO 8601 date or time after which the key no longer works."""
    client_id: Guid | None = None
    """An existing application; default: the tool makes one with a secret."""


class Azure(_Table):
    enabled: bool = False
    tenant_id: Guid | None = None
    subscription_id: Guid | None = None
    location: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")] = "japaneast"
    resource_group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._()-]{1,89}[A-Za-z0-9_()-]$")] | None = None
    auth: Literal["cli", "service_principal", "workload_identity", "managed_identity"] = "cli"
    apim: Apim = Apim()
    callers: dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")], Caller] = {}


class Lifecycle(_Table):
    down: Literal["everything", "keep-data"] = "everything"


class Settings(_Table):
    """Everything a person can configure, validated as a whole."""

    platform: Platform = Platform()
    aws: Aws = Aws()
    terraform: TerraformState = TerraformState()
    network: Network = Network()
    cluster: Cluster = Cluster()
    ingress: Ingress = Ingress()
    litellm: Litellm = Litellm()
    langfuse: Langfuse = Langfuse()
    azure: Azure = Azure()
    lifecycle: Lifecycle = Lifecycle()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = {model.name for model in self.litellm.models}
        for caller, wanted in self.azure.callers.items():
            for name in wanted.models:
                if name not in known:
                    raise ValueError(
                        f"azure.callers.{caller}.models: unknown model '{name}'; configured are {', '.join(sorted(known)) or 'none'}"
                    )
        if self.ingress.tls == "none" and self.azure.enabled:
            raise ValueError("ingress.tls: 'none' is refused when API Management is in front; leave it 'auto'")
        if self.azure.enabled and self.azure.apim.sku == "Consumption" and self.azure.apim.existing is None:
            wants = (
                "streaming"
                if self.azure.apim.streaming
                else "the cache of per-caller keys"
                if self.azure.apim.keys == "per-caller"
                else None
            )
            if wants:
                raise ValueError(f"azure.apim.sku: Consumption cannot be used with {wants}; choose BasicV2 or another tier")
        return self


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens only."""
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
