"""How LiteLLM's pod signs in to Entra ID without a secret: a token of its service account, and whose application trusts it.

Microsoft Entra, "Workload identity federation"; the variables are those that azure-identity's ``WorkloadIdentityCredential`` reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.config.target import NAMESPACE

AUDIENCE = "api://AzureADTokenExchange"
"""What tokens are made for that Entra ID takes in exchange (Microsoft Entra, "Workload identity federation")."""
SERVICE_ACCOUNT = "litellm"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
"""LiteLLM's service account as its tokens name it."""
TOKEN_FOLDER = "/var/run/secrets/azure/tokens"  # noqa: S105
TOKEN_SECONDS = 3600
"""How long a token lives; the kubelet writes a new one after four fifths of that."""


@dataclass(frozen=True)
class WorkloadIdentity:
    """An application of Entra ID that trusts LiteLLM's service account."""

    client_id: str
    tenant_id: str
    authority: str | None = None
    """Where tokens are asked for; None: ``https://login.microsoftonline.com``."""

    def variables(self) -> dict[str, str]:
        """The container's environment. It names a file and holds no secret."""
        elsewhere = {"AZURE_AUTHORITY_HOST": self.authority} if self.authority else {}
        return elsewhere | {
            "AZURE_CLIENT_ID": self.client_id,
            # LiteLLM's own choice would go on to the instance's metadata service when Entra ID refuses, and hide why.
            "AZURE_CREDENTIAL": "WorkloadIdentityCredential",
            "AZURE_FEDERATED_TOKEN_FILE": f"{TOKEN_FOLDER}/token",
            "AZURE_TENANT_ID": self.tenant_id,
        }
