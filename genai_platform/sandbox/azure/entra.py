"""Entra ID: the token endpoint of the Microsoft identity platform v2.0, with published keys.

Errors carry the codes the real one uses (AADSTS…, Microsoft identity platform error reference).
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure.world import MICROSOFT_RESOURCES, TENANT, World

KEY_ID = "sandbox-1"
LIFETIME_SECONDS = 3600


class Entra:
    """Issues and signs tokens for applications of the sandbox's directory."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
        ]

    async def _configuration(self, request: Request) -> Response:
        if refused := _wrong_tenant(request):
            return refused
        base = f"{self._world.authority}/{TENANT}"
        return JSONResponse(
            {
                "issuer": self._world.issuer,
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "scopes_supported": ["openid"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        if refused := _wrong_tenant(request):
            return refused
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._world.key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": KEY_ID, "use": "sig"}]})

    async def _token(self, request: Request) -> Response:
        if refused := _wrong_tenant(request):
            return refused
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return _error("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client_id, secret, scope = str(form.get("client_id", "")), form.get("client_secret"), str(form.get("scope", ""))
        if secret is None:
            basic = request.headers.get("authorization", "").partition(" ")[2]
            if basic:
                client_id, _, secret = base64.b64decode(basic).decode().partition(":")
        application = self._world.store.find("applications", "appId", client_id)
        if application is None:
            return _error("unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory.")
        if fault := self._secret_fault(application, str(secret or "")):
            return fault
        return self._issue(application, scope)

    def _secret_fault(self, application: dict[str, Any], secret: str) -> Response | None:
        now = time.time()
        known = next((entry for entry in application["secrets"] if entry["value"] == secret), None)
        if known is None or now < known["from"] + self._world.delays.secret * (known["from"] > 0):
            return _error("invalid_client", 7000215, "Invalid client secret provided.", 401)
        if now > known["until"]:
            return _error("invalid_client", 7000222, "The provided client secret keys are expired.", 401)
        return None

    def _issue(self, application: dict[str, Any], scope: str) -> Response:
        resource = scope.removesuffix("/.default")
        if scope == resource:
            return _error("invalid_scope", 1002012, f"The provided value for scope {scope} is not valid; it must end with /.default.")
        principal = self._principal(application["appId"])
        if principal is None:
            return _error("unauthorized_client", 700016, "The application has no service principal in the directory.")
        if resource.rstrip("/") in (*MICROSOFT_RESOURCES, self._world.vault_resource):
            roles = application.get("graphPermissions", []) if "graph" in resource else []
            return JSONResponse(_answer(self.microsoft_token(principal["id"], resource.rstrip("/"), application["appId"], roles)))
        api = next(
            (entry for entry in self._world.store.all("applications") if resource in (entry["appId"], *entry.get("identifierUris", []))),
            None,
        )
        api_principal = self._principal(api["appId"]) if api else None
        if api is None or api_principal is None:
            return _error("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
        roles = self._roles(api, api_principal["id"], principal["id"])
        if not roles and api_principal.get("appRoleAssignmentRequired"):
            return _error("invalid_grant", 501051, f"Application '{application['appId']}' is not assigned to a role for the application.")
        claims: dict[str, Any] = {
            "aud": api["appId"],
            "azp": application["appId"],
            "azpacr": "1",
            "oid": principal["id"],
            "sub": principal["id"],
        }
        if roles:
            claims["roles"] = roles
        return JSONResponse(_answer(self.sign({**claims, "iss": self._world.issuer, "tid": TENANT, "ver": "2.0"})))

    def microsoft_token(self, principal_id: str, resource: str, app_id: str = "", roles: list[str] | None = None) -> str:
        """A v1 token for one of Microsoft's own services, also for managed identities."""
        claims: dict[str, Any] = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "appid": app_id,
            "oid": principal_id,
            "sub": principal_id,
            "tid": TENANT,
            "idtyp": "app",
            "ver": "1.0",
        }
        if roles:
            claims["roles"] = roles
        return self.sign(claims)

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims with the published key; times are added where they are missing."""
        now = int(time.time())
        full = {"iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS, "uti": uuid4().hex, **claims}
        return jwt.encode(full, self._world.key, algorithm="RS256", headers={"kid": KEY_ID})

    def read(self, token: str, audience: str) -> dict[str, Any]:
        """Claims of a token for one of the stand-ins. Raises ``jwt.PyJWTError``."""
        claims: dict[str, Any] = jwt.decode(
            token, self._world.key.public_key(), algorithms=["RS256"], audience=[audience, audience + "/"], options={"require": ["exp"]}
        )
        return claims

    def _principal(self, app_id: str) -> dict[str, Any] | None:
        return self._world.store.find("servicePrincipals", "appId", app_id)

    def _roles(self, api: dict[str, Any], api_principal_id: str, principal_id: str) -> list[str]:
        assigned = {
            entry["appRoleId"]
            for entry in self._world.store.all("appRoleAssignments", api_principal_id)
            if entry["principalId"] == principal_id
        }
        return [role["value"] for role in api.get("appRoles", []) if role["id"] in assigned and role.get("isEnabled", True)]


def _answer(token: str) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS, "access_token": token}


def _wrong_tenant(request: Request) -> Response | None:
    tenant = request.path_params["tenant"]
    if tenant == TENANT:
        return None
    return _error("invalid_request", 90002, f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.")


def _error(name: str, code: int, text: str, status: int = 400) -> Response:
    body = {"error": name, "error_description": f"AADSTS{code}: {text}", "error_codes": [code], "trace_id": str(uuid4())}
    return JSONResponse(body, status)
