"""What the sandbox hands to the product: other endpoints, settings that lead there, and the variables a person would set.

This is all the product ever learns of the sandbox.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from genai_platform.config.endpoints import AwsEndpoints, AzureEndpoints, Endpoints
from genai_platform.config.settings import Settings
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
    from genai_platform.sandbox.aws.identity import ACCOUNT, administrator
    from genai_platform.sandbox.azure import tenancy as azure

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
        ca_bundle=layout.ca_file,
        load_balancer_names=("localhost",),
        environment_variables=closed_variables(),
    )
    wanted = settings.litellm.models
    models = [model.model_dump() | {"api_base": layout.url("openai")} for model in wanted]
    overlay = {
        "platform": {"region": layout.region},
        "aws": {"account_id": ACCOUNT},
        "ingress": {
            "litellm_port": layout.ports["litellm"],
            "langfuse_port": layout.ports["langfuse"],
            "gateway_port": layout.ports["models"],
        },
        "litellm": {"models": models},
        "azure": {"tenant_id": azure.TENANT, "subscription_id": azure.SUBSCRIPTION, "auth": "service_principal"},
    }
    key = openai_key(layout)
    return SandboxEnvironment(endpoints, overlay, dict.fromkeys({_DEFAULT_KEY, *(model.api_key_env for model in wanted)}, key))


def _azure_endpoints(layout: SandboxLayout) -> AzureEndpoints:
    """Where the Azure stand-ins answer, and the deployer's identity in their directory."""
    from genai_platform.sandbox.azure import control_routes as control
    from genai_platform.sandbox.azure import state

    state.prepare(layout)
    deployer = layout.folder("azure") / "deployer.json"

    def local(port: str) -> str:
        return f"https://localhost:{layout.ports[port]}"

    return AzureEndpoints(
        authority=local("entra"),
        arm=local("arm"),
        graph=local("graph"),
        vault_suffix=f"vault.localhost:{layout.ports['vault']}",
        gateway_suffix=f"azure-api.localhost:{layout.ports['gateway']}",
        client_id=json.loads(deployer.read_text())["client_id"],
        client_secret_file=deployer,
        control=local("entra") + control.PATH,
        control_secret_file=control.secret_file(layout),
    )


def openai_key(layout: SandboxLayout) -> str:
    """The key of the stand-in for Azure OpenAI, made when there is none."""
    file = layout.folder("openai") / "key"
    with layout.lock("openai"):
        if not file.exists():
            with os.fdopen(os.open(file.with_suffix(".new"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as opened:
                opened.write(secrets.token_hex(16))
            file.with_suffix(".new").replace(file)
    return file.read_text().strip()


def closed_variables() -> dict[str, str]:
    """Variables that keep AWS clients from finding a real identity in files or on the network."""
    return {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}


def clean_environment(environ: Mapping[str, str] | None = None, kept: tuple[str, ...] = ("TF_CLI_CONFIG_FILE",)) -> dict[str, str]:
    """The given environment (default: this process's) without anything that names a cloud, a cluster or a key.

    Args:
        kept: variables that stay although they look ambient; where providers come from is not a credential.
    """
    given = os.environ if environ is None else environ
    return {name: value for name, value in given.items() if name in kept or not name.startswith(_AMBIENT)} | closed_variables()


def trusted(layout: SandboxLayout, further: Path | None = None) -> Path:
    """A bundle of the system's authorities, the sandbox's, and the platform's own one once the tool made it."""
    from genai_platform.sandbox import ca

    ca.authority(layout)
    own = ca.bundle(layout)
    if further is None or not further.exists():
        return own
    path = layout.folder("ca") / "bundle-with-platform.pem"
    text = own.read_bytes() + b"\n" + further.read_bytes()
    if not path.exists() or path.read_bytes() != text:
        path.with_suffix(".new").write_bytes(text)
        path.with_suffix(".new").replace(path)
    return path
