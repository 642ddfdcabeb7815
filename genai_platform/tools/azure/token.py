"""Tokens of callers: client credentials against the tenant's token endpoint, as a caller's own program gets them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from genai_platform.advice import advice, genai
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.tools.azure.transport import public, transport

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True)
class Client:
    """How a caller signs in. ``secret`` is None for an existing application named by ``client_id``."""

    caller: str
    tenant_id: str
    client_id: str
    scope: str
    """``api://<application id of the API>/.default``."""
    authority: str
    gateway_url: str
    """``https://SERVICE.azure-api.net/PATH``: the base address; model routes follow as ``/v1/...``."""
    secret: SecretStr | None = field(repr=False, default=None)


class Refused(StepError):
    """Entra ID gives no token."""


class _NotKnownYet(Refused):
    """What Entra ID does not know may have been made a moment ago."""


PATIENCE = 60.0
"""Seconds; a fresh client secret takes 4 to 18 s to work, a fresh role assignment up to a minute."""
_NOT_YET = ("AADSTS7000215", "AADSTS700016", "AADSTS501051", "AADSTS500011")
"""Unknown secret, unknown application, application without a role, unknown API: each may be a moment old (Entra ID's error codes)."""
_REMEDY = advice(
    "see the caller's state: {}; a client secret that was lost is replaced by: {}", genai("keys list"), genai("keys rotate NAME --secret")
)


def fetch(target: Target, tenant: str, client_id: str, secret: SecretStr, scope: str, patience: float | None = None) -> SecretStr:
    """A fresh access token. A client secret or a role that was given just now gets ``patience`` (``PATIENCE``) to be known.

    Raises:
        StepError: Entra ID refuses; its own code (AADSTS…) is in the message.
    """
    from azure.identity import ClientSecretCredential

    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        try:
            # A new credential at each try: MSAL answers a refused question from its memory for a minute (``ThrottledHttpClient``).
            return _asked(ClientSecretCredential, target, tenant, client_id, secret.get_secret_value(), scope)
        except Refused as refused:
            if not isinstance(refused, _NotKnownYet) or time.monotonic() > deadline:
                raise StepError(f"Entra ID gives {client_id} no token: {refused.message}", remedy=_REMEDY, id="azure.token") from None
            time.sleep(1)


def exchange(target: Target, tenant: str, client_id: str, assertion: SecretStr, scope: str) -> SecretStr:
    """An access token for a token of another issuer that an application trusts. Asks once.

    Raises:
        Refused: Entra ID refuses; its own code (AADSTS…) is in the message.
        StepError: it could not be reached.
    """
    from azure.identity import ClientAssertionCredential

    return _asked(ClientAssertionCredential, target, tenant, client_id, assertion.get_secret_value, scope)


def _asked(kind: Callable[..., TokenCredential], target: Target, tenant: str, client_id: str, proof: object, scope: str) -> SecretStr:
    """What Entra ID answers to one question. ``proof``: the secret, or what gives the assertion. Raises as ``exchange`` does."""
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    authority = target.endpoints.azure.authority
    elsewhere = {"authority": authority, "disable_instance_discovery": not public(authority), "transport": transport(target.endpoints)}
    credential = kind(tenant, client_id, proof, **elsewhere)
    try:
        return SecretStr(credential.get_token(scope).token)
    except ClientAuthenticationError as error:
        refused = _NotKnownYet if any(code in error.message for code in _NOT_YET) else Refused
        said = " ".join(error.message.split()).removeprefix("Authentication failed: ")
        raise refused(said[:300], id="azure.token") from None
    except ServiceRequestError as error:
        raise StepError(f"{authority} could not be reached: {error.message[:200]}", id="azure.token") from None


def claims(token: SecretStr) -> dict[str, Any]:
    """What a token says, unverified: for showing, never for trusting."""
    try:
        part = token.get_secret_value().split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (IndexError, ValueError, TypeError):
        raise StepError("the given text is not a JSON Web Token", id="azure.token") from None
