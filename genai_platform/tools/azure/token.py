"""Tokens of callers: client credentials against the tenant's token endpoint, as a caller's own program gets them."""

from __future__ import annotations

import base64
import json
import logging
import time
from typing import Any

from pydantic import SecretStr

from genai_platform.advice import advice, genai
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.tools.azure.transport import public, transport


class Refused(StepError):
    """Entra ID gives no token."""


PATIENCE = 60.0
"""Seconds; a fresh client secret takes 4 to 18 s to work, a fresh role assignment up to a minute."""
_NOT_YET = ("AADSTS7000215", "AADSTS700016", "AADSTS501051", "AADSTS500011")
"""Unknown secret, unknown application, application without a role, unknown API: each may be a moment old (Entra ID's error codes)."""
_REMEDY = advice(
    "see the caller's state: {}; a client secret that was lost is replaced by: {}", genai("keys list"), genai("keys rotate NAME --secret")
)


def fetch(target: Target, tenant: str, client_id: str, secret: SecretStr, scope: str, patience: float | None = None) -> SecretStr:
    """A fresh access token. A client secret or a role that was given just now gets the time it needs to be known everywhere.

    Args:
        patience: seconds to go on asking; None: ``PATIENCE``.

    Raises:
        StepError: Entra ID refuses; its own code (AADSTS…) is in the message.
    """
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
    from azure.identity import ClientSecretCredential

    # Without a handler Python prints the SDK's warnings to the terminal.
    logging.getLogger("azure").addHandler(logging.NullHandler())

    authority = target.endpoints.azure.authority
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        # Anew at each try: MSAL answers a refused question from its memory for a minute (``ThrottledHttpClient``).
        credential = ClientSecretCredential(
            tenant,
            client_id,
            secret.get_secret_value(),
            authority=authority,
            disable_instance_discovery=not public(authority),
            transport=transport(target.endpoints),
        )
        try:
            return SecretStr(credential.get_token(scope).token)
        except ClientAuthenticationError as error:
            fresh = any(code in error.message for code in _NOT_YET)
            if not fresh or time.monotonic() > deadline:
                raise StepError(f"Entra ID gives {client_id} no token: {_said(error.message)}", remedy=_REMEDY, id="azure.token") from None
            time.sleep(1)
        except ServiceRequestError as error:
            raise StepError(f"{authority} could not be reached: {error.message[:200]}", id="azure.token") from None


def exchange(target: Target, tenant: str, client_id: str, assertion: SecretStr, scope: str) -> SecretStr:
    """An access token for a token of another issuer that an application trusts. Asks once.

    Raises:
        Refused: Entra ID refuses; its own code (AADSTS…) is in the message.
        StepError: it could not be reached.
    """
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
    from azure.identity import ClientAssertionCredential

    logging.getLogger("azure").addHandler(logging.NullHandler())
    authority = target.endpoints.azure.authority
    credential = ClientAssertionCredential(
        tenant,
        client_id,
        assertion.get_secret_value,
        authority=authority,
        disable_instance_discovery=not public(authority),
        transport=transport(target.endpoints),
    )
    try:
        return SecretStr(credential.get_token(scope).token)
    except ClientAuthenticationError as error:
        raise Refused(_said(error.message), id="azure.token") from None
    except ServiceRequestError as error:
        raise StepError(f"{authority} could not be reached: {error.message[:200]}", id="azure.token") from None


def _said(message: str) -> str:
    return " ".join(message.split()).removeprefix("Authentication failed: ")[:300]


def claims(token: SecretStr) -> dict[str, Any]:
    """What a token says, unverified: for showing, never for trusting."""
    try:
        part = token.get_secret_value().split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        raise StepError("the given text is not a JSON Web Token", id="azure.token") from None
    return dict(found)
