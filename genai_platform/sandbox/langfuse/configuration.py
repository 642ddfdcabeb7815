"""What web and worker read from their environment, checked the way Langfuse checks it: at the start, all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote


class Misconfigured(Exception):
    """The process cannot start with these variables. The message names them, never a value."""


@dataclass(frozen=True)
class Bucket:
    name: str
    prefix: str
    region: str | None
    endpoint: str | None
    path_style: bool
    access_key_id: str | None
    secret_access_key: str | None


@dataclass(frozen=True)
class Initial:
    """The headless start."""

    organisation_id: str
    organisation_name: str
    project_id: str
    project_name: str
    public_key: str | None
    secret_key: str | None
    user_email: str | None
    user_name: str
    user_password: str | None


@dataclass(frozen=True)
class Configuration:
    postgres: str
    """A libpq connection address."""
    redis: str
    clickhouse: str
    clickhouse_user: str
    clickhouse_password: str
    clickhouse_database: str
    events: Bucket
    salt: str
    public_url: str
    nextauth_secret: str
    sign_up_disabled: bool
    initial: Initial | None
    passwords_disabled: bool = False
    write_mode: str = "events_only"
    """Langfuse 4: which tables are written."""
    historic_backfill: bool = True
    """Langfuse 4: whether the worker rewrites, once, what Langfuse 3 wrote."""

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Configuration:
        """Raises ``Misconfigured`` naming every variable at fault."""
        faults: list[str] = []

        def need(name: str, pattern: str = r".+", what: str = "is required") -> str:
            value = variables.get(name, "")
            if not re.fullmatch(pattern, value, re.DOTALL):
                faults.append(f"{name}: {'is required' if not value else what}")
            return value

        configuration = cls(
            postgres=_postgres(variables, need, faults),
            redis=_redis(variables, need),
            clickhouse=need("CLICKHOUSE_URL", r"https?://.+", "must be an http address").rstrip("/"),
            clickhouse_user=need("CLICKHOUSE_USER"),
            clickhouse_password=need("CLICKHOUSE_PASSWORD"),
            clickhouse_database=variables.get("CLICKHOUSE_DB") or "default",
            events=_bucket(variables, need, "LANGFUSE_S3_EVENT_UPLOAD"),
            salt=need("SALT"),
            public_url=need("NEXTAUTH_URL", r"https?://.+", "must be an address").rstrip("/"),
            nextauth_secret=need("NEXTAUTH_SECRET"),
            sign_up_disabled=variables.get("AUTH_DISABLE_SIGNUP", "").lower() in ("true", "1"),
            initial=_initial(variables),
            passwords_disabled=variables.get("AUTH_DISABLE_USERNAME_PASSWORD", "").lower() == "true",
            write_mode=variables.get("LANGFUSE_MIGRATION_V4_WRITE_MODE") or "events_only",
            historic_backfill=variables.get("LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL", "true").lower() == "true",
        )
        if variables.get("LANGFUSE_MIGRATION_V4_WRITE_MODE"):
            need("LANGFUSE_MIGRATION_V4_WRITE_MODE", "legacy|dual|events_only", "must be legacy, dual or events_only")
        if variables.get("ENCRYPTION_KEY"):
            need("ENCRYPTION_KEY", r"[0-9a-fA-F]{64}", "must be 256 bits, 64 characters in hex format")
        if faults:
            raise Misconfigured("invalid environment variables: " + "; ".join(faults))
        return configuration


def _postgres(variables: Mapping[str, str], need: Callable[..., str], faults: list[str]) -> str:
    if url := variables.get("DATABASE_URL"):
        return url
    user, password = need("DATABASE_USERNAME"), need("DATABASE_PASSWORD")
    host, name = need("DATABASE_HOST"), need("DATABASE_NAME")
    port = variables.get("DATABASE_PORT") or "5432"
    # Prisma's own arguments mean nothing to libpq; those about TLS mean the same.
    known = {key: value for key, value in parse_qsl(variables.get("DATABASE_ARGS", "")) if key in ("sslmode", "connect_timeout")}
    arguments = "&".join(f"{key}={quote(value)}" for key, value in {"connect_timeout": "10", **known}.items())
    # As the image does: pasted together unquoted, so a password with URL characters breaks here as it would there.
    if re.search(r"[@/?#:%\s\[\]]", password):
        faults.append("DATABASE_PASSWORD: its URL characters break the connection address; use letters and digits")
    return f"postgresql://{user}:{password}@{host}:{port}/{name}?{arguments}"


def _redis(variables: Mapping[str, str], need: Callable[..., str]) -> str:
    if variables.get("REDIS_CONNECTION_STRING"):
        return need("REDIS_CONNECTION_STRING", r"rediss?://.+", "must be a redis address")
    host, port = need("REDIS_HOST"), variables.get("REDIS_PORT") or "6379"
    secret = variables.get("REDIS_AUTH") or variables.get("REDIS_PASSWORD") or ""
    scheme = "rediss" if variables.get("REDIS_TLS_ENABLED", "").lower() == "true" else "redis"
    user = variables.get("REDIS_USERNAME", "")
    return f"{scheme}://{user}:{quote(secret, safe='')}@{host}:{port}/0" if secret else f"{scheme}://{host}:{port}/0"


def _bucket(variables: Mapping[str, str], need: Callable[..., str], name: str) -> Bucket:
    return Bucket(
        name=need(f"{name}_BUCKET"),
        prefix=variables.get(f"{name}_PREFIX", ""),
        region=variables.get(f"{name}_REGION") or None,
        endpoint=variables.get(f"{name}_ENDPOINT") or None,
        path_style=variables.get(f"{name}_FORCE_PATH_STYLE", "").lower() == "true",
        access_key_id=variables.get(f"{name}_ACCESS_KEY_ID") or None,
        secret_access_key=variables.get(f"{name}_SECRET_ACCESS_KEY") or None,
    )


def _initial(variables: Mapping[str, str]) -> Initial | None:
    """Without an organisation's and a project's identifier there is no initial setup."""

    def get(name: str) -> str | None:
        return variables.get(f"LANGFUSE_INIT_{name}") or None

    organisation, project = get("ORG_ID"), get("PROJECT_ID")
    if not organisation or not project:
        return None
    return Initial(
        organisation_id=organisation,
        organisation_name=get("ORG_NAME") or "Provisioned Org",
        project_id=project,
        project_name=get("PROJECT_NAME") or "Provisioned Project",
        public_key=get("PROJECT_PUBLIC_KEY"),
        secret_key=get("PROJECT_SECRET_KEY"),
        user_email=get("USER_EMAIL"),
        user_name=get("USER_NAME") or "Provisioned User",
        user_password=get("USER_PASSWORD"),
    )
