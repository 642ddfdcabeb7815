"""Signing in with Entra ID: NextAuth's provider ``azure-ad`` (authorization code flow with a state cookie), as Langfuse configures it."""

from __future__ import annotations

import hmac
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from genai_platform.sandbox.langfuse.directory import Directory, User

ID = "azure-ad"
CALLBACK = f"/api/auth/callback/{ID}"
_SCOPE = "openid profile email User.Read"


class Refused(Exception):
    """Nobody is signed in; the text is what the sign-in page shows."""


@dataclass(frozen=True)
class Provider:
    """``AUTH_AZURE_AD_*`` and what a person becomes a member of."""

    client_id: str
    client_secret: str
    tenant: str
    linking: bool
    """Whether somebody whose address has an account already gets that one (``AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING``)."""
    organisation: str | None
    role: str

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Provider | None:
        """None unless identifier and secret are given."""
        client, secret = variables.get("AUTH_AZURE_AD_CLIENT_ID"), variables.get("AUTH_AZURE_AD_CLIENT_SECRET")
        if not client or not secret:
            return None
        return cls(
            client, secret, variables.get("AUTH_AZURE_AD_TENANT_ID", ""),
            variables.get("AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING") == "true",
            variables.get("LANGFUSE_DEFAULT_ORG_ID") or None, variables.get("LANGFUSE_DEFAULT_ORG_ROLE") or "VIEWER",
        )  # fmt: skip


class AzureAd:
    """The provider at work.

    Args:
        authority: base address of ``login.microsoftonline.com``.
        public_url: Langfuse's own address.
        create: whether a first sign-in makes an account.
    """

    def __init__(self, provider: Provider, accounts: Directory, authority: str, public_url: str, *, create: bool) -> None:
        self.provider, self._accounts, self._create = provider, accounts, create
        self._base, self._redirect = f"{authority}/{provider.tenant}", public_url + CALLBACK

    def address(self) -> tuple[str, str]:
        """Where the browser is sent, and the state that it must bring back."""
        state = secrets.token_urlsafe(24)
        asked = {"client_id": self.provider.client_id, "redirect_uri": self._redirect, "response_type": "code", "scope": _SCOPE}
        return f"{self._base}/oauth2/v2.0/authorize?{urlencode({**asked, 'state': state})}", state

    def person(self, asked: Mapping[str, str], state: str) -> User:
        """Who came back with a code. Raises ``Refused``."""
        if not state or not hmac.compare_digest(asked.get("state", ""), state):
            raise Refused("OAuthCallback")
        if "code" not in asked:
            raise Refused(asked.get("error", "OAuthCallback"))
        claims = self._claims(asked["code"])
        email = str(claims.get("email") or "").lower()
        if not email:
            raise Refused("OAuthCreateAccount")
        user = self._accounts.of_provider(
            str(claims["sub"]), email, str(claims.get("name") or email), linking=self.provider.linking, create=self._create
        )  # fmt: skip
        if isinstance(user, str):
            raise Refused(user)
        if self.provider.organisation:
            self._accounts.join(user, self.provider.organisation, self.provider.role)
        return user

    def _claims(self, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect,
            "client_id": self.provider.client_id, "client_secret": self.provider.client_secret,
        }  # fmt: skip
        try:
            with httpx.Client(verify=ssl.create_default_context(), trust_env=False, timeout=30) as http:
                found = http.get(f"{self._base}/v2.0/.well-known/openid-configuration").raise_for_status().json()
                answer = http.post(found["token_endpoint"], data=form).raise_for_status().json()
                keys = jwt.PyJWKSet.from_dict(http.get(found["jwks_uri"]).raise_for_status().json())
            key = keys[jwt.get_unverified_header(answer["id_token"])["kid"]]
            claims: dict[str, Any] = jwt.decode(
                answer["id_token"], key, algorithms=["RS256"], audience=self.provider.client_id, issuer=found["issuer"]
            )
        except (httpx.HTTPError, jwt.PyJWTError, KeyError, ValueError):
            raise Refused("OAuthCallback") from None
        return claims
