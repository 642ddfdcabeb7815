"""What ``genai sandbox env`` prints: exports with which other people's clients talk to the sandbox."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from genai_platform.config.target import Target
from genai_platform.errors import GenaiError
from genai_platform.render.secrets import client_exports
from genai_platform.sandbox.aws.identity import administrator
from genai_platform.sandbox.azure import az_config
from genai_platform.sandbox.azure.state import deployer
from genai_platform.sandbox.endpoints import closed_variables, trusted
from genai_platform.sandbox.layout import SandboxLayout

_IDENTITIES = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
_SERVICES = (
    "ACM", "CLOUDWATCH_LOGS", "EC2", "EKS", "ELASTICACHE", "ELASTIC_LOAD_BALANCING_V2", "IAM", "RDS", "RESOURCE_GROUPS_TAGGING_API",
    "ROUTE_53", "S3", "S3_CONTROL", "SECRETS_MANAGER", "SERVICE_QUOTAS", "STS",
)  # fmt: skip
"""As AWS's clients spell them in the names of variables."""


def variables(layout: SandboxLayout, target: Target) -> dict[str, str]:
    """Variables for aws, az, terraform, kubectl, helm, the Azure SDKs and any OpenAI or Langfuse client.

    What is not there yet (LiteLLM's address before ``up``) is left out. The document holds keys: printing it is what
    the command is for.
    """
    admin = administrator(layout)
    bundle = str(trusted(layout, target.folder / "ca.pem"))
    found = {
        "KUBECONFIG": str(layout.endpoint_kubeconfig),
        "AWS_ENDPOINT_URL": layout.url("aws"),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
        "AWS_REGION": layout.region,
        "AWS_DEFAULT_REGION": layout.region,
        **closed_variables(),
        **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), bundle),
        "PATH": _path(),
        **_past_proxies(),
    }
    return found | _terraform(target) | _azure(layout, target, Path(bundle)) | _applications(target)


def exports(found: Mapping[str, str]) -> str:
    """Lines for ``eval`` in a POSIX shell. An identity or an endpoint that would win over ours is unset."""
    lines = [f"unset {' '.join((*_IDENTITIES, *(f'AWS_ENDPOINT_URL_{service}' for service in _SERVICES)))}"]
    return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in found.items())]) + "\n"


def _past_proxies() -> dict[str, str]:
    """Clients of a person behind a proxy still find what is on this machine."""
    own = [name for name in (os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "").split(",") if name]
    listed = ",".join(dict.fromkeys([*own, "localhost", ".localhost", "127.0.0.1"]))
    return {"NO_PROXY": listed, "no_proxy": listed}


def _path() -> str:
    """PATH with the Helm the sandbox was set up with in front."""
    from genai_platform import programs

    before = os.environ.get("PATH", os.defpath).split(os.pathsep)
    try:
        helm = str(programs.find("helm").parent)
    except GenaiError:
        return os.pathsep.join(before)
    return os.pathsep.join([helm, *(folder for folder in before if folder != helm)])


def _azure(layout: SandboxLayout, target: Target, bundle: Path) -> dict[str, str]:
    """The deployer's identity under the names that azure-identity reads, where ARM and Graph answer, and the cloud for `az`."""
    if not target.settings.azure.enabled:
        return {}
    endpoints, azure = target.endpoints.azure, target.settings.azure
    return {
        "AZURE_AUTHORITY_HOST": endpoints.authority,
        "AZURE_TENANT_ID": str(azure.tenant_id),
        "AZURE_SUBSCRIPTION_ID": str(azure.subscription_id),
        **deployer(layout),
        **az_config.variables(layout, bundle),
        "AZURE_RESOURCE_MANAGER_URL": endpoints.arm,
    }


def _terraform(target: Target) -> dict[str, str]:
    """Where Terraform finds its provider, as our own runs are told."""
    from genai_platform.tools.terraform import mirror as terraform_mirror

    given = target.endpoints.environment_variables
    if "TF_CLI_CONFIG_FILE" in given:
        return {"TF_CLI_CONFIG_FILE": given["TF_CLI_CONFIG_FILE"]}
    return dict(terraform_mirror.prepare(target.folder / "terraform", os.environ))


def _applications(target: Target) -> dict[str, str]:
    """Addresses from the ingresses, keys from the platform's secrets; nothing of what is not there."""
    from genai_platform.steps.clients import Clients

    clients = Clients(target)
    try:
        return client_exports(clients.secrets(), clients.address("litellm"), clients.address("langfuse"))
    except GenaiError:
        return {}
