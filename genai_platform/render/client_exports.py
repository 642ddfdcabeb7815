"""The variables with which OpenAI's and Langfuse's clients find the platform."""

from __future__ import annotations

from genai_platform.render.secrets import PlatformSecrets


def client_exports(secrets: PlatformSecrets, litellm: str | None, langfuse: str | None) -> dict[str, str]:
    """By name, keys included. An address that is not known yet is left out with what goes with it."""
    found: dict[str, str] = {}
    if litellm:
        found |= {"OPENAI_BASE_URL": f"{litellm}/v1", "OPENAI_API_KEY": secrets.litellm_master_key.get_secret_value()}
    if langfuse:
        found |= {
            "LANGFUSE_HOST": langfuse,
            "LANGFUSE_BASE_URL": langfuse,  # the current name of LANGFUSE_HOST
            "LANGFUSE_PUBLIC_KEY": secrets.langfuse_public_key.get_secret_value(),
            "LANGFUSE_SECRET_KEY": secrets.langfuse_secret_key.get_secret_value(),
        }
    return found
