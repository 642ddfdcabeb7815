"""The platform's secrets as one typed value. They live in AWS Secrets Manager, one JSON document an environment."""

from __future__ import annotations

import secrets
import string
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_ALPHABET = string.ascii_letters + string.digits


def random_text(length: int = 40) -> SecretStr:
    """Alphanumeric text from a cryptographic source: safe in URLs, XML, YAML and shells."""
    return SecretStr("".join(secrets.choice(_ALPHABET) for _ in range(length)))


def _prefixed(prefix: str, length: int = 40) -> SecretStr:
    return SecretStr(prefix + random_text(length).get_secret_value())


class SignInClient(BaseModel):
    """How an application of the platform proves itself to Entra ID when people sign in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: str
    address: str
    """The tool's, which the application's redirect address begins with."""
    key_id: str
    """The client secret's identifier in the directory."""
    secret: SecretStr
    expires: datetime
    previous: str | None = None
    """Key id of the client secret before it, which pods may still use until ``previous_until``."""
    previous_until: datetime | None = None


class PlatformSecrets(BaseModel):
    """Made once. ``litellm_salt_key``, ``langfuse_salt`` and ``langfuse_encryption_key`` never change while data lives."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    postgres_admin_password: SecretStr = Field(default_factory=random_text)
    postgres_litellm_password: SecretStr = Field(default_factory=random_text)
    postgres_langfuse_password: SecretStr = Field(default_factory=random_text)
    redis_token: SecretStr = Field(default_factory=lambda: random_text(64))
    clickhouse_password: SecretStr = Field(default_factory=random_text)
    litellm_master_key: SecretStr = Field(default_factory=lambda: _prefixed("sk-"))
    litellm_salt_key: SecretStr = Field(default_factory=lambda: _prefixed("sk-"))
    langfuse_salt: SecretStr = Field(default_factory=random_text)
    langfuse_encryption_key: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_hex(32)))
    langfuse_nextauth_secret: SecretStr = Field(default_factory=random_text)
    langfuse_public_key: SecretStr = Field(default_factory=lambda: _prefixed("pk-lf-", 32))
    langfuse_secret_key: SecretStr = Field(default_factory=lambda: _prefixed("sk-lf-", 32))
    langfuse_user_password: SecretStr = Field(default_factory=random_text)
    gateway_header: SecretStr = Field(default_factory=random_text)
    """What API Management proves itself with at the load balancer."""
    ca_certificate: SecretStr | None = None
    """PEM of the authority the tool made for a platform without a domain (the key is next to it)."""
    ca_key: SecretStr | None = None
    upstream_keys: dict[str, SecretStr] = {}
    """Environment variable name of a model's key (``api_key_env``) to its value."""
    sign_in: dict[str, SignInClient] = {}
    """``litellm`` or ``langfuse`` to what it signs people in with."""

    def values(self) -> list[str]:
        """Every secret text, for what must not show one."""
        fields = dict(self)
        nested = [*self.upstream_keys.values(), *(client.secret for client in self.sign_in.values())]
        return [text for value in (*nested, *fields.values()) if isinstance(value, SecretStr) and (text := value.get_secret_value())]


def client_exports(secrets: PlatformSecrets, litellm: str | None, langfuse: str | None) -> dict[str, str]:
    """The variables with which OpenAI's and Langfuse's clients find the platform, keys included. An address
    that is not known yet is left out with what goes with it."""
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
