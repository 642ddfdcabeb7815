"""STS: web identity tokens are verified for real, against the cluster's key and the role's trust policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import jwt
from moto.core.responses import ActionResult
from moto.sts.models import STSBackend, sts_backends
from moto.sts.responses import TokenResponse

from genai_platform.sandbox.aws import policy, principals
from genai_platform.sandbox.aws.identity import ACCOUNT, ADMINISTRATOR, administrator, issuer, public_key_file
from genai_platform.sandbox.aws.sessions import SESSIONS, issue
from genai_platform.sandbox.aws.stand_in import AwsStandIn

_AUDIENCE = "sts.amazonaws.com"
_ACTION = "sts:AssumeRoleWithWebIdentity"


class Refused(Exception):
    """A refusal with AWS's code and status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> tuple[str, dict[str, Any]]:
        """As moto's dispatcher wants it."""
        body = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
            f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error><RequestId></RequestId></ErrorResponse>"
        )
        return body, {"status": self.status, "Content-Type": "text/xml"}


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's STS."""
    assume, identity = TokenResponse.assume_role_with_web_identity, STSBackend.get_caller_identity
    admin = administrator(stand_in.layout).access_key_id

    def assume_role_with_web_identity(self: Any) -> Any:
        try:
            subject = verify(stand_in, self._get_param("WebIdentityToken") or "", self._get_param("RoleArn") or "")
        except Refused as refused:
            return refused.answer()
        except policy.Unsupported as error:
            return Refused(400, "NotSupportedBySandbox", str(error)).answer()
        result = assume(self)
        role = result.result["Credentials"]
        result.result["AssumedRoleUser"]["AssumedRoleId"] = role.user_id
        provider = _provider_arn(issuer(stand_in.layout))
        result.result.update({"SubjectFromWebIdentityToken": subject, "Audience": _AUDIENCE, "Provider": provider})
        return result

    def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        if access_key_id == admin or access_key_id in SESSIONS:
            return "AIDASANDBOXADMINISTRA", ADMINISTRATOR, ACCOUNT
        found: tuple[str, str, str] = identity(self, access_key_id, region)
        return found

    def get_session_token(self: Any) -> ActionResult:
        seconds = self._get_int_param("DurationSeconds", 43200)
        if not 900 <= seconds <= 129600:
            text = f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint"
            return Refused(400, "ValidationError", text).answer()
        document: dict[str, Any] = issue(seconds).document()
        return ActionResult({"Credentials": document | {"Expiration": datetime.fromisoformat(document["Expiration"])}})

    TokenResponse.get_session_token = get_session_token
    TokenResponse.assume_role_with_web_identity = assume_role_with_web_identity
    STSBackend.get_caller_identity = get_caller_identity


def _provider_arn(url: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"


def verify(stand_in: AwsStandIn, token: str, role_arn: str) -> str:
    """The subject of a token that may assume this role.

    Raises:
        Refused: with the code AWS would give.
    """
    claims = _claims(stand_in, token)
    iam = principals.iam()
    provider = iam.open_id_providers.get(_provider_arn(claims["iss"]))
    if provider is None:
        raise Refused(400, "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {claims['iss']}")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if _AUDIENCE not in audiences or _AUDIENCE not in provider.client_id_list:
        raise Refused(400, "InvalidIdentityToken", "Incorrect token audience")
    role = next((role for role in iam.roles.values() if role.arn == role_arn), None)
    name = claims["iss"].removeprefix("https://")
    context = {f"{name}:sub": claims["sub"], f"{name}:aud": _AUDIENCE}
    statements = policy.statements(role.assume_role_policy_document) if role else []
    relevant = [statement for statement in statements if _names(statement, provider.arn)]
    if policy.verdict([{"Statement": relevant}], _ACTION, "", context) != "allow":
        raise Refused(403, "AccessDenied", f"Not authorized to perform {_ACTION}")
    return str(claims["sub"])


def _claims(stand_in: AwsStandIn, token: str) -> dict[str, Any]:
    key_file = public_key_file(stand_in.layout)
    if not key_file.exists():
        raise Refused(400, "IDPCommunicationError", "The identity provider's keys could not be read")
    try:
        wanted: Any = {"verify_aud": False, "require": ["exp", "iss", "sub", "aud"]}
        claims: dict[str, Any] = jwt.decode(token, key_file.read_bytes(), algorithms=["RS256", "ES256"], options=wanted)
    except jwt.ExpiredSignatureError:
        raise Refused(400, "ExpiredTokenException", "Token expired") from None
    except jwt.InvalidSignatureError:
        raise Refused(400, "InvalidIdentityToken", "Couldn't verify the signature of the token") from None
    except jwt.PyJWTError:
        raise Refused(400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
    return claims


def _names(statement: Mapping[str, Any], provider: str) -> bool:
    principal = statement.get("Principal")
    federated = principal.get("Federated", []) if isinstance(principal, dict) else []
    return provider in (federated if isinstance(federated, list) else [federated])


def session(access_key_id: str) -> Any | None:
    """The assumed role a temporary key belongs to."""
    return sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key_id)
