"""LiteLLM's configuration, variables and secrets from settings, outputs and secrets. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from genai_platform.advice import advice, genai
from genai_platform.config.keyless import DEFAULT_KEYS
from genai_platform.config.models import AzureModel, BedrockModel, Model, OpenAIModel
from genai_platform.config.settings import Settings
from genai_platform.config.target import NAMESPACE
from genai_platform.errors import ConfigError
from genai_platform.render import extra_config, manifests, sign_in
from genai_platform.render.addresses import listener
from genai_platform.render.manifests import Document
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.render.workload_identity import AUDIENCE, TOKEN_FOLDER, TOKEN_SECONDS, WorkloadIdentity

LANGFUSE_IN_CLUSTER = "http://langfuse-web:3000"
POSTGRES_IMAGE = "public.ecr.aws/docker/library/postgres:17"
HEALTH_PATH = "/health/liveliness"
BACKEND = manifests.Backend("litellm", 4000, HEALTH_PATH)
_SCRATCH = "/run/litellm"
_HOME = {"HOME": _SCRATCH, "TMPDIR": _SCRATCH, "XDG_CACHE_HOME": f"{_SCRATCH}/cache"}
"""All that may be written: the root file system is read-only, and this user has no home of its own."""
DRAIN = 60
"""Seconds for the load balancer to learn of a pod: a new one gets requests after its first health check (one every 10
seconds), an ending one gets none once it is deregistered everywhere. Replicas are exchanged no faster than that, and an
ending one serves so long. Reports call 15 s too short and 60 s enough (kubernetes-sigs/aws-load-balancer-controller#1064,
#1719, #2106; alphagov/govuk-helm-charts#2202)."""


def proxy_config(settings: Settings) -> str:
    """``config.yaml`` of the proxy. It names environment variables and holds no secret.

    Raises:
        ConfigError: ``litellm.extra_config`` gives what the platform gives.
    """
    otel = settings.litellm.callback == "langfuse_otel"
    document: dict[str, Any] = {
        "model_list": [_model(settings, model, len(group) > 1) for group in settings.litellm.groups.values() for model in group],
        "litellm_settings": {
            **({"callbacks": ["langfuse_otel"]} if otel else {"success_callback": ["langfuse"], "failure_callback": ["langfuse"]}),
            "request_timeout": 600,
            "drop_params": True,
            "json_logs": True,
            # Redis carries what replicas share; an answer is only kept for a caller who asks for that.
            "cache": True,
            "cache_params": {"type": "redis", "mode": "default_off"},
            **({"enable_azure_ad_token_refresh": True} if settings.litellm.keyless else {}),
        },
        "router_settings": {
            "redis_host": "os.environ/REDIS_HOST",
            "redis_port": "os.environ/REDIS_PORT",
            "redis_password": "os.environ/REDIS_PASSWORD",
            **_routing(settings),
        },
        "general_settings": {
            "master_key": "os.environ/LITELLM_MASTER_KEY",
            "database_url": "os.environ/DATABASE_URL",
            "database_connection_pool_limit": 10,
            # Seconds between writes of spend: short, so that a request shows in the logs soon.
            "proxy_batch_write_at": 10,
            "store_model_in_db": False,
            "health_check_interval": 300,
            "background_health_checks": False,
            **({"enforce_fallback_model_access": True} if _fallbacks(settings) else {}),
        },
    }
    if settings.litellm.extra_config:
        document = extra_config.merged(document, settings.litellm.extra_config)
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def variables(data: DataOutputs) -> dict[str, str]:
    """The proxy's environment without its secrets."""
    return _HOME | {
        "DISABLE_SCHEMA_UPDATE": "true",
        "KEEPALIVE_TIMEOUT": str(manifests.KEEP_ALIVE),
        # Without both hosts the callbacks would send traces to a cloud service.
        "LANGFUSE_HOST": LANGFUSE_IN_CLUSTER,
        "LANGFUSE_OTEL_HOST": LANGFUSE_IN_CLUSTER,
        "LITELLM_ASSETS_PATH": f"{_SCRATCH}/assets",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MIGRATION_DIR": f"{_SCRATCH}/migrations",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_UI_PATH": f"{_SCRATCH}/ui",
        "REDIS_HOST": data.redis_host,
        "REDIS_PORT": str(data.redis_port),
        "REDIS_SSL": "True",
    }


def secret_values(settings: Settings, data: DataOutputs, secrets: PlatformSecrets) -> dict[str, str]:
    """The keys of Secret ``litellm`` and their values.

    Raises:
        ConfigError: a model's key is neither in the environment nor in Secrets Manager.
    """
    missing = sorted(set(settings.litellm.key_variables) - set(secrets.upstream_keys))
    if missing:
        raise ConfigError(
            f"no key for the models that read it from {', '.join(missing)}",
            remedy=advice("set {} in the environment and run: {}", missing[0], genai("infra --only infra.secrets")),
            id="litellm.key_missing",
        )
    password = secrets.postgres_litellm_password.get_secret_value()
    return {
        "DATABASE_PASSWORD": password,
        "DATABASE_URL": f"postgresql://litellm:{password}@{data.postgres_host}:{data.postgres_port}/litellm?sslmode=require",
        "LANGFUSE_PUBLIC_KEY": secrets.langfuse_public_key.get_secret_value(),
        "LANGFUSE_SECRET_KEY": secrets.langfuse_secret_key.get_secret_value(),
        "LITELLM_MASTER_KEY": secrets.litellm_master_key.get_secret_value(),
        "LITELLM_SALT_KEY": secrets.litellm_salt_key.get_secret_value(),
        "REDIS_PASSWORD": secrets.redis_token.get_secret_value(),
        **sign_in.litellm_secrets(settings, secrets),
        **{pod_variable(settings, name): secrets.upstream_keys[name].get_secret_value() for name in settings.litellm.key_variables},
    }


def pod_variable(settings: Settings, name: str) -> str:
    """What the variable of a model's key is called in the pod.

    LiteLLM gives every Azure model without a key the one in ``AZURE_API_KEY`` or ``AZURE_OPENAI_API_KEY``, and then asks for no token
    (litellm/main.py, 1.106.2): together with a model that signs in with Entra ID no key may have such a name.
    """
    return f"KEY_OF_{name}" if name in DEFAULT_KEYS and settings.litellm.keyless else name


def config(settings: Settings, data: DataOutputs, role_arn: str, secrets: PlatformSecrets) -> list[Document]:
    """Service account, secret and configuration."""
    values = secret_values(settings, data, secrets)
    return manifests.objects("litellm-config", namespace=NAMESPACE, role_arn=role_arn, secrets=values, config=proxy_config(settings))


def database(data: DataOutputs, secrets: PlatformSecrets) -> list[Document]:
    """The job that makes the role and the database."""
    server, password = manifests.DatabaseServer.of(data, secrets), secrets.postgres_litellm_password.get_secret_value()
    return manifests.database("litellm-database", server, image=POSTGRES_IMAGE, role="litellm", database="litellm", password=password)


def migration(settings: Settings, data: DataOutputs) -> list[Document]:
    """The job that brings the database to the schema of this image."""
    inputs = _HOME | {"LITELLM_LOG": "INFO", "LITELLM_MIGRATION_DIR": f"{_SCRATCH}/migrations", "USE_PRISMA_MIGRATE": "True"}
    made = manifests.objects("litellm-migration", namespace=NAMESPACE, image=settings.litellm.image, variables=inputs)
    # Another database server, though of the same name, must be migrated again.
    return manifests.stamped(made, data.postgres_host, data.postgres_cluster_id)


def ingress(settings: Settings, inbound_cidrs: tuple[str, ...]) -> list[Document]:
    """Service and ingress."""
    return [
        *manifests.objects("litellm-service", namespace=NAMESPACE),
        *manifests.ingress("litellm", BACKEND, listener(settings, "litellm"), inbound_cidrs),
    ]


def proxy(
    settings: Settings, data: DataOutputs, role_arn: str, secrets: PlatformSecrets, identity: WorkloadIdentity | None = None
) -> list[Document]:
    """Deployment and disruption budget. Its pods change when the configuration or a secret does.

    Args:
        identity: as what it signs in to Entra ID; None where every model has a key.
    """
    own = variables(data) | sign_in.litellm_variables(settings, secrets) | (identity.variables() if identity else {})
    return manifests.objects(
        "litellm-deployment",
        namespace=NAMESPACE,
        replicas=settings.litellm.replicas,
        drain=DRAIN,
        image=settings.litellm.image,
        variables=own,
        entra_token={"audience": AUDIENCE, "seconds": TOKEN_SECONDS, "folder": TOKEN_FOLDER} if identity else None,
        checksum=manifests.checksum(config(settings, data, role_arn, secrets)),
    )


def _routing(settings: Settings) -> dict[str, Any]:
    """What ``router_settings`` says of groups and fallbacks; nothing where there are none and nothing is set."""
    router = settings.litellm.router.model_dump(exclude_none=True, exclude_unset=True)
    if any(len(group) > 1 for group in settings.litellm.groups.values()):
        # Else a retry is as likely to meet the deployment that just failed as any other one.
        router["enable_weighted_failover"] = True
    return router | _fallbacks(settings)


def _fallbacks(settings: Settings) -> dict[str, list[dict[str, list[str]]]]:
    kinds = settings.litellm.fallbacks.model_dump()
    return {kind: [{name: list(others)} for name, others in chosen.items()] for kind, chosen in kinds.items() if chosen}


def _model(settings: Settings, model: Model, grouped: bool) -> dict[str, Any]:
    shares = {name: value for name in ("weight", "rpm", "tpm", "order") if (value := getattr(model, name)) is not None}
    base_model = _base_model(model)
    return {
        "model_name": model.name,
        "litellm_params": _upstream(settings, model) | shares,
        # The price, the context window and which parameters the model takes: LiteLLM cannot tell from a deployment's own name.
        "model_info": {"mode": model.mode} | ({"base_model": base_model} if base_model else {}) | ({"id": model.id} if grouped else {}),
    }


def _upstream(settings: Settings, model: Model) -> dict[str, Any]:
    """What the proxy asks, where, and with which key."""
    key = {"api_key": f"os.environ/{pod_variable(settings, model.key_variable)}"} if model.key_variable else {}
    match model:
        case AzureModel():
            place = {"model": f"azure/{model.azure_deployment}", "api_base": model.api_base}
            return place | key | {"api_version": QuotedText(model.api_version)}
        case OpenAIModel():
            route = "text-completion-openai" if model.mode == "completion" else "openai"
            return {"model": f"{route}/{model.model}", "api_base": model.api_base} | key
        case BedrockModel():
            # The route converse has tools and streams for every model; embeddings are not on it. The pod's role signs.
            route = "bedrock" if model.mode == "embedding" else "bedrock/converse"
            # LiteLLM invokes ``model_id`` where it is given, and takes format and price from ``model``.
            through = {"model_id": model.application_inference_profile} if model.application_inference_profile else {}
            return {"model": f"{route}/{model.model}", "aws_region_name": model.region} | through


def _base_model(model: Model) -> str | None:
    match model:
        case AzureModel(base_model=str()):
            return f"azure/{model.base_model}"
        case OpenAIModel():
            return model.base_model
    return None


class QuotedText(str):
    """Text that must be in quotes: an unquoted ``2024-10-21`` is a date, and LiteLLM drops the model."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(QuotedText, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"'))
