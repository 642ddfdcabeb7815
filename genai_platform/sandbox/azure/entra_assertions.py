"""Workload identity federation at the token endpoint: a token of another issuer instead of a client secret.

The issuer's discovery document and keys are read from its public address, as Entra ID does. Codes and words: "Microsoft Entra
authentication and authorization error codes" and the reports named with them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt

from genai_platform.sandbox import public_addresses
from genai_platform.sandbox.azure.entra_errors import Refused
from genai_platform.sandbox.azure.entra_federated_credentials import effective
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.tenancy import Directory

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW = 300
"""Seconds that clocks may differ: Azure/login#180, refused at 5:02 minutes after the expiry."""
_LONGEST_LIFE = 25 * 3600
"""MicrosoftDocs/azure-docs#86915: at most 1.01:00:00."""
_CHECK = "Please check your federated identity credential Subject, Audience and Issuer against the presented assertion."


def check(azure: AzureState, directory: Directory, application: dict[str, Any], assertion: str) -> None:
    """Raises ``Refused`` unless the assertion is one that the application trusts. Reads from the issuer."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Refused("invalid_client", 50027, "JWT token is invalid or malformed.", 401) from None
    if str(claims.get("iss")).startswith((azure.authority, "https://sts.windows.net/")):
        raise Refused("invalid_request", 700222, "AAD-issued tokens may not be used for federated identity flows.")
    _match(application, effective(directory, application["id"]), claims)
    _verify(assertion, header, _keys(azure, str(claims["iss"])))
    _lifetime(claims)


def _match(application: dict[str, Any], credentials: list[dict[str, Any]], claims: dict[str, Any]) -> None:
    """Issuer, subject and audience are compared character by character."""
    issuer, subject, audiences = str(claims.get("iss")), str(claims.get("sub")), claims.get("aud")
    if not credentials:
        name = f"'{application['appId']}'({application.get('displayName')})"
        raise Refused("invalid_client", 70025, f"The client {name} has no configured federated identity credentials.", 401)
    of_issuer = [one for one in credentials if one["issuer"] == issuer]
    if not of_issuer:
        raise _no_record(700211, "issuer", issuer)
    of_subject = [one for one in of_issuer if one["subject"] == subject]
    if not of_subject:
        alike = any(one["subject"].lower() == subject.lower() for one in of_issuer)  # Azure/login#517
        raise _no_record(7002138 if alike else 700213, "subject", subject, " The match is case-sensitive." if alike else "")
    given = audiences if isinstance(audiences, list) else [audiences]
    if not any(set(one["audiences"]) & set(given) for one in of_subject):
        raise _no_record(700212, "audience", ", ".join(map(str, given)))


def _no_record(code: int, what: str, value: str, more: str = "") -> Refused:
    text = f"No matching federated identity record found for presented assertion {what} '{value}'.{more} {_CHECK}"
    return Refused("invalid_client", code, text, 401)


def _keys(azure: AzureState, issuer: str) -> list[dict[str, Any]]:
    """The issuer's published keys; azure-workload-identity#605, #642 and Azure/login#283 for the two codes."""
    unreachable = Refused("invalid_request", 50166, "Request to External OIDC endpoint failed.")
    try:
        document = _read(azure, issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != issuer:
            raise unreachable
        keys: list[dict[str, Any]] = _read(azure, str(document["jwks_uri"]))["keys"]
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError):
        raise unreachable from None
    return keys


def _read(azure: AzureState, url: str) -> Any:
    answer = public_addresses.get(azure.layout, url)
    if answer.status_code != 200:
        raise Refused("invalid_request", 501661, "Request to External OIDC endpoint failed.")
    return answer.json()


def _verify(assertion: str, header: dict[str, Any], keys: list[dict[str, Any]]) -> None:
    key = next((one for one in keys if one.get("kid") == header.get("kid")), None)
    reason = "The key was not found." if key is None else "The provided signature value did not match the expected signature value."
    refused = Refused("invalid_client", 700027, f"Client assertion contains an invalid signature. [Reason - {reason}]", 401)
    if key is None:
        raise refused
    try:
        options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        jwt.decode(assertion, jwt.PyJWK(key, "RS256"), algorithms=["RS256"], options=options)  # type: ignore[arg-type]
    except jwt.PyJWTError:
        raise refused from None


def _lifetime(claims: dict[str, Any]) -> None:
    now, begins, ends = time.time(), float(claims.get("nbf", 0)), float(claims.get("exp", 0))
    issued = float(claims.get("iat", 0))
    if not begins - _SKEW <= now <= ends + _SKEW:
        text = f"Client assertion is not within its valid time range. Current time: {_time(now)}, assertion valid from {_time(begins)},"
        raise Refused("invalid_client", 700024, f"{text} expiry time of assertion {_time(ends)}.", 401)
    if ends - issued > _LONGEST_LIFE:
        text = "External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00."
        raise Refused("invalid_request", 70023, f"{text} Token issued at {issued:.0f}. Token expires on {ends:.0f}.")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
