"""What the sandbox hands to the product: other endpoints, settings that lead there, and the variables a person would set.

This is all the product ever learns of the sandbox.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from genai_platform.config.azure_openai import models_of_account
from genai_platform.config.endpoints import AwsEndpoints, AzureEndpoints, Endpoints
from genai_platform.config.extra_config import ExtraConfig
from genai_platform.config.models import AzureModel, BedrockModel, Model, OpenAIModel
from genai_platform.config.settings import Settings
from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout

_AMBIENT = (
    "AWS_", "AZURE_", "ARM_", "MSI_", "IDENTITY_", "IMDS_", "KUBE", "HELM_", "TF_", "OPENAI_", "LITELLM_", "LANGFUSE_", "DATABASE_URL",
)  # fmt: skip
_DEFAULT_KEY = "AZURE_API_KEY"


class SandboxEnvironment(NamedTuple):
    """Unpacks into what target resolution needs."""

    endpoints: Endpoints
    overlay: dict[str, Any]
    """Settings that take the place of the person's."""
    variables: dict[str, str]
    """Secrets as a person would export them: the models' keys."""


def environment_of(layout: SandboxLayout, settings: Settings) -> SandboxEnvironment:
    """The product's view of a sandbox.

    Args:
        settings: the person's, with a sandbox's defaults.
    """
    from genai_platform.sandbox import ca
    from genai_platform.sandbox.aws.identity import ACCOUNT, administrator
    from genai_platform.sandbox.azure import openai_part
    from genai_platform.sandbox.azure.shared_tenant import subscription

    admin = administrator(layout)
    endpoints = Endpoints(
        aws=AwsEndpoints(
            url=layout.url("aws"),
            access_key_id=admin.access_key_id,
            secret_access_key=admin.secret_access_key,
            checkip=layout.url("aws") + "/_sandbox/checkip",
        ),
        azure=_azure_endpoints(layout),
        kubeconfig=layout.endpoint_kubeconfig,
        ca_bundle=ca.stand_ins(layout),
        load_balancer_names=("localhost",),
        environment_variables=closed_variables(),
    )
    wanted = settings.litellm.models
    made = models_of_account(settings)
    several = len({model.address for model in wanted if model.key_variable and model not in made}) > 1
    models = []
    for model in wanted:
        # What a model's table would not say itself: a default that contradicts the rest once it is written down.
        unsaid = {"api_key_env"} if model.key_variable is None else set()
        models.append(model.model_dump(exclude=unsaid) | _elsewhere(layout, model, several, own=model in made))
    overlay = {
        "platform": {"region": layout.region},
        "aws": {"account_id": ACCOUNT},
        "ingress": {
            "litellm_port": layout.ports["litellm"],
            "langfuse_port": layout.ports["langfuse"],
            "gateway_port": layout.ports["models"],
        },
        "litellm": {"models": models, **_extra(layout, settings.litellm.extra_config)},
        "azure": subscription(layout) | {"auth": "service_principal"},
    }
    return SandboxEnvironment(endpoints, overlay, dict.fromkeys({_DEFAULT_KEY, *settings.litellm.key_variables}, openai_part.key(layout)))


def _extra(layout: SandboxLayout, extra: ExtraConfig | None) -> dict[str, ExtraConfig]:
    """A person's own models are asked at the stand-in, too."""
    if extra is None or not (models := (extra.document or {}).get("model_list")):
        return {}
    base = f"{layout.url('openai')}/openai/v1"
    moved = [{**model, "litellm_params": {**model["litellm_params"], "api_base": base}} for model in models]
    return {"extra_config": replace(extra, document={**(extra.document or {}), "model_list": moved})}


def _elsewhere(layout: SandboxLayout, model: Model, several: bool, *, own: bool) -> dict[str, str]:
    """Where a model is asked here. Several accounts stay several: each has a path of its own at the one stand-in.

    Args:
        own: the model is at the account of ``[azure.openai]``.
    """
    from genai_platform.sandbox.aws.bedrock import catalog
    from genai_platform.sandbox.aws.identity import ACCOUNT
    from genai_platform.sandbox.azure import existing_accounts

    if isinstance(model, BedrockModel):
        profile = f"arn:aws:bedrock:{model.region}:{ACCOUNT}:application-inference-profile/{catalog.application_id(model.model)}"
        return {"application_inference_profile": profile} if model.application_inference_profile else {}
    if isinstance(model, AzureModel) and (own or model.auth == "entra"):
        return {"api_base": existing_accounts.address(layout, model)}
    base = layout.url("openai") + (f"/{urlsplit(model.api_base).hostname}" if several else "")
    return {"api_base": f"{base}/openai/v1" if isinstance(model, OpenAIModel) else base}


def _azure_endpoints(layout: SandboxLayout) -> AzureEndpoints:
    """Where the Azure stand-ins answer, and the deployer's identity in their directory."""
    from genai_platform.sandbox.azure import control_address, shared_tenant

    shared_tenant.prepare(layout)
    deployer, azure = layout.folder("azure") / "deployer.json", layout.azure

    def local(port: str) -> str:
        return f"https://localhost:{azure.ports[port]}"

    return AzureEndpoints(
        authority=local("entra"),
        arm=local("arm"),
        graph=local("graph"),
        vault_suffix=f"vault.localhost:{azure.ports['vault']}",
        gateway_suffix=f"azure-api.localhost:{azure.ports['gateway']}",
        client_id=json.loads(deployer.read_text())["client_id"],
        client_secret_file=deployer,
        control=local("entra") + control_address.PATH,
        control_secret_file=control_address.secret_file(azure),
    )


def closed_variables() -> dict[str, str]:
    """Variables that keep AWS clients from finding a real identity in files or on the network."""
    return {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}


def clean_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The given environment without anything that names a cloud, a cluster or a key. Where Terraform's providers come from is neither."""
    kept = {name: value for name, value in environ.items() if name == "TF_CLI_CONFIG_FILE" or not name.startswith(_AMBIENT)}
    return kept | closed_variables()


def trusted(layout: SandboxLayout, further: Path | None = None) -> Path:
    """A bundle of the system's authorities, the stand-ins', and the platform's own one once the tool made it."""
    from genai_platform.sandbox import ca

    ca.authority(layout)
    own = ca.bundle(layout)
    added = [layout.azure.ca_file] if layout.tenant else []
    added += [further] if further is not None and further.exists() else []
    if not added:
        return own
    return write_private(layout.folder("ca") / "bundle-with-platform.pem", b"\n".join(file.read_bytes() for file in (own, *added)))
