"""What LiteLLM and Langfuse are told so that people sign in with Entra ID. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.config.settings import Settings
from genai_platform.config.sign_in import FREE_SEATS, TOOLS
from genai_platform.errors import NeverBuilt
from genai_platform.render.secrets import PlatformSecrets, SignInClient

STEP = "azure.sign_in"
CALLBACKS = {"litellm": "/sso/callback", "langfuse": "/api/auth/callback/azure-ad"}
"""Where Entra ID sends the browser back to, below the tool's address (NextAuth's callback of the provider ``azure-ad``)."""


@dataclass(frozen=True)
class Judged:
    """The application of a tool beside the configuration."""

    client_id: str
    assigned: int
    """How many groups and people are configured."""
    faults: tuple[str, ...]
    """What is not as configured: redirect address, required assignment, client secret, who is assigned."""


def tools(settings: Settings) -> tuple[str, ...]:
    """Which of them people sign in to with Entra ID."""
    configured = {"litellm": settings.litellm.sign_in, "langfuse": settings.langfuse.sign_in}
    return tuple(name for name in TOOLS if configured[name] == "entra")


def notices(settings: Settings) -> list[str]:
    """What people should know before people sign in with Entra ID. One line each."""
    if "litellm" not in tools(settings):
        return []
    azure = settings.azure
    callers = len(azure.callers) if azure.apim.keys == "per-caller" else 1
    left = max(0, FREE_SEATS - callers)
    taken = f"{callers} of them {'is a caller' if callers == 1 else 'are callers'} of API Management"
    free = f"{left} {'person' if left == 1 else 'people'} may sign in"
    return [f"LiteLLM's open edition signs people in while it knows at most {FREE_SEATS} users: {taken}, so {free}"]


def redirect_uri(tool: str, address: str) -> str:
    """Where Entra ID sends people back to.

    Args:
        address: the tool's, as browsers see it.
    """
    return address.rstrip("/") + CALLBACKS[tool]


def client(settings: Settings, secrets: PlatformSecrets, tool: str) -> SignInClient | None:
    """What the tool signs people in with; None where they sign in with passwords.

    Raises:
        NeverBuilt: its application was not made yet.
    """
    if tool not in tools(settings):
        return None
    if tool not in secrets.sign_in:
        raise NeverBuilt(
            f"the Entra application for signing in to {tool} does not exist yet", remedy=run_genai(f"up --only {STEP}"), id=STEP
        )
    return secrets.sign_in[tool]


def litellm_variables(settings: Settings, secrets: PlatformSecrets) -> dict[str, str]:
    """LiteLLM's variables, without the client secret."""
    own = client(settings, secrets, "litellm")
    if own is None:
        return {}
    return {
        "MICROSOFT_CLIENT_ID": own.client_id,
        "MICROSOFT_TENANT": str(settings.azure.tenant_id),
        # The redirect address begins with it, whatever name a browser came by.
        "PROXY_BASE_URL": own.address,
    }


def litellm_secrets(settings: Settings, secrets: PlatformSecrets) -> dict[str, str]:
    """LiteLLM's variables that are secrets."""
    own = client(settings, secrets, "litellm")
    return {} if own is None else {"MICROSOFT_CLIENT_SECRET": own.secret.get_secret_value()}


def langfuse_key(own: SignInClient) -> str:
    """Under which key of Langfuse's Secret the client secret lies: another one for each, so that a new one makes new pods."""
    return f"azure-ad-client-secret-{own.key_id[:8]}"


def langfuse_variables(settings: Settings, own: SignInClient | None, secret: str, organisation: str) -> list[dict[str, Any]]:
    """Langfuse's variables (Langfuse, "Authentication and SSO" and "Automated access provisioning").

    Args:
        secret: name of the Kubernetes Secret that holds the client secret.
        organisation: whose members people become.
    """
    if own is None:
        return []
    plain = {
        "AUTH_AZURE_AD_CLIENT_ID": own.client_id,
        "AUTH_AZURE_AD_TENANT_ID": str(settings.azure.tenant_id),
        # Who has an account with a password keeps it: addresses come from this one tenant.
        "AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING": "true",
        "LANGFUSE_DEFAULT_ORG_ID": organisation,
        "LANGFUSE_DEFAULT_ORG_ROLE": settings.sign_in.langfuse_role,
        **({} if settings.langfuse.passwords else {"AUTH_DISABLE_USERNAME_PASSWORD": "true"}),
    }
    kept = {"secretKeyRef": {"name": secret, "key": langfuse_key(own)}}
    return [*({"name": name, "value": value} for name, value in plain.items()), {"name": "AUTH_AZURE_AD_CLIENT_SECRET", "valueFrom": kept}]
