"""Who works on Azure: the credential that ``azure.auth`` names, always for the pinned tenant."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, MissingError, StepError
from genai_platform.tools.azure.errors import UnknownTenant, explained
from genai_platform.tools.azure.token import claims
from genai_platform.tools.azure.transport import public, transport

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

ARM_SCOPE = "https://management.azure.com/.default"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
_AZ_SECONDS = 60
"""`az account get-access-token` takes 5 to 13 s on a busy machine (Azure/azure-cli issues 20404 and 29329); the SDK's own limit is 10."""
_SPARE = 300.0
"""Seconds; a token that ends sooner is not used again."""


@dataclass(frozen=True)
class Identity:
    """Who won: what role assignments name."""

    object_id: str
    kind: Literal["User", "ServicePrincipal"]
    name: str
    tenant_id: str


class Remembered:
    """A credential that is asked once for each scope until its token ends, and by one thread at a time.

    Many looks begin at the same moment: without it each would ask for a token of its own, and `az`, which keeps none in this process,
    would be started as often, several at once.
    """

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential
        self._lock = threading.Lock()
        self._tokens: dict[tuple[tuple[str, ...], str | None], AccessToken] = {}

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, enable_cae: bool = False, **more: Any
    ) -> AccessToken:
        """As ``TokenCredential.get_token``. A question with claims is always asked: the last token did not satisfy."""
        key = (scopes, tenant_id)
        with self._lock:
            held = self._tokens.get(key)
            if claims is None and held is not None and held.expires_on - _SPARE > time.time():
                return held
            fresh = self._credential.get_token(*scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **more)
            self._tokens[key] = fresh
            return fresh


def pinned(target: Target) -> tuple[str, str]:
    """Tenant and subscription. Raises ``ConfigError`` when one is not pinned."""
    azure = target.settings.azure
    missing = [f"azure.{name}" for name in ("tenant_id", "subscription_id") if getattr(azure, name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            remedy="run: genai init (or set it in genai.toml)",
            id="config.azure_not_pinned",
        )
    return str(azure.tenant_id), str(azure.subscription_id)


def credential(target: Target) -> TokenCredential:
    """The credential for the pinned tenant, and for no other.

    Raises:
        ConfigError: the tenant is not pinned.
        MissingError: the service principal's variables are not set.
    """
    return Remembered(_configured(target))


def _configured(target: Target) -> TokenCredential:
    import azure.identity as identity

    tenant, _ = pinned(target)
    endpoints = target.endpoints.azure
    elsewhere = not public(endpoints.authority)
    common: dict[str, Any] = {
        "authority": endpoints.authority,
        "disable_instance_discovery": elsewhere,
        "transport": transport(target.endpoints),
    }
    auth = target.settings.azure.auth
    if auth == "cli":
        return identity.AzureCliCredential(tenant_id=tenant, process_timeout=_AZ_SECONDS)
    if auth == "managed_identity":
        return identity.ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
    if auth == "workload_identity":
        return identity.WorkloadIdentityCredential(tenant_id=tenant, **common)
    client_id, secret = _service_principal(target)
    return identity.ClientSecretCredential(tenant, client_id, secret, **common)


def _service_principal(target: Target) -> tuple[str, str]:
    endpoints = target.endpoints.azure
    if endpoints.client_id and endpoints.client_secret_file:
        text = endpoints.client_secret_file.read_text()
        return endpoints.client_id, str(json.loads(text)["client_secret"]) if text.lstrip().startswith("{") else text.strip()
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        if not os.environ.get(name):
            raise MissingError(
                f"{name} is not set, and azure.auth is service_principal",
                remedy=f"set {name}, or choose another azure.auth",
                id="azure.credentials",
            )
    return os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"]


def identity(target: Target, found: TokenCredential) -> Identity:
    """Who the token for ARM names. Raises ``MissingError`` when nobody is signed in, or for another tenant."""
    tenant, _ = pinned(target)
    try:
        with explained("sign in to Azure"):
            token = SecretStr(found.get_token(ARM_SCOPE).token)
    except UnknownTenant:
        raise MissingError(
            f"azure.tenant_id: Entra ID knows no tenant {tenant}",
            remedy="correct azure.tenant_id: az account show --query tenantId",
            id="azure.no_tenant",
        ) from None
    try:
        held = claims(token)  # read for what it names, not trusted for anything
    except StepError:
        held = {}
    if "oid" not in held:
        raise StepError("the token for ARM does not name its holder", id="azure.token")
    if str(held.get("tid", tenant)).lower() != tenant:
        raise MissingError(
            f"signed in to tenant {held.get('tid')}, azure.tenant_id pins {tenant}",
            remedy=f"sign in to that tenant: az login --tenant {tenant}",
            id="azure.other_tenant",
        )
    kind: Literal["User", "ServicePrincipal"] = "ServicePrincipal" if held.get("idtyp") == "app" else "User"
    name = str(held.get("upn") or held.get("unique_name") or held.get("appid") or held.get("oid"))
    return Identity(str(held["oid"]), kind, name, tenant)
