"""Entra ID: the token endpoint of the Microsoft identity platform v2.0, with published keys, for every tenant of the sandbox.

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

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.state import MICROSOFT_RESOURCES, AzureState
from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.azure.throttle import Throttle
from genai_platform.sandbox.pace import CLIENT_SECRET_KNOWN, RESOURCE_PRINCIPAL_KNOWN

KEY_ID = "sandbox-1"
LIFETIME_SECONDS = 3600
_OF_THE_PROTOCOL = {"openid", "profile", "offline_access", "email"}
"""Scopes that name no resource."""
_ALIASES = {"https://management.core.windows.net": "https://management.azure.com"}
"""Older names of Microsoft's services, which their clients still ask for."""
_ADDRESSES = {"arm": "https://management.azure.com", "graph": "https://graph.microsoft.com"}


class Entra:
    """Issues and signs tokens for applications and people of the sandbox's tenants."""

    def __init__(self, azure: AzureState, throttle: Throttle | None = None) -> None:
        self._azure = azure
        self._throttle = throttle or Throttle()

    def routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
        ]

    async def _configuration(self, request: Request) -> Response:
        if refused := self._wrong_tenant(request):
            return refused
        tenant = request.path_params["tenant"]
        base = f"{self._azure.authority}/{tenant}"
        return JSONResponse(
            {
                "issuer": self._azure.issuer(tenant),
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
        if refused := self._wrong_tenant(request):
            return refused
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._azure.key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": KEY_ID, "use": "sig"}]})

    async def _token(self, request: Request) -> Response:
        if refused := self._wrong_tenant(request):
            return refused
        if wait := self._throttle.refuses("entra"):
            text = "AADSTS90055: There are too many requests for this tenant or application."
            return JSONResponse({"error": "temporarily_unavailable", "error_description": text}, 429, {"Retry-After": wait})
        form = await request.form()
        directory = self._azure.directory(request.path_params["tenant"])
        scope = " ".join(one for one in str(form.get("scope", "")).split() if one not in _OF_THE_PROTOCOL)
        if form.get("grant_type") == "password":
            return self._signed_in(directory, str(form.get("username")), str(form.get("password")), scope)
        if form.get("grant_type") != "client_credentials":
            return _error("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client_id, secret = str(form.get("client_id", "")), form.get("client_secret")
        if secret is None:
            basic = request.headers.get("authorization", "").partition(" ")[2]
            if basic:
                client_id, _, secret = base64.b64decode(basic).decode().partition(":")
        application = directory.find("applications", "appId", client_id)
        if application is None:
            return _error("unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory.")
        if fault := self._secret_fault(application, str(secret or "")):
            return fault
        return self._issue(directory, application, scope)

    def _secret_fault(self, application: dict[str, Any], secret: str) -> Response | None:
        now = time.time()
        known = next((entry for entry in application["secrets"] if entry["value"] == secret), None)
        if known is None or now < known["from"] + self._azure.layout.pace.of(CLIENT_SECRET_KNOWN) * (known["from"] > 0):
            return _error("invalid_client", 7000215, "Invalid client secret provided.", 401)
        if now > known["until"]:
            return _error("invalid_client", 7000222, "The provided client secret keys are expired.", 401)
        return None

    def _signed_in(self, directory: tenancy.Directory, name: str, password: str, scope: str) -> Response:
        """A person's token for one of Microsoft's services: what a client gets with which somebody is signed in."""
        person = directory.find("users", "userPrincipalName", name)
        if person is None or person["password"] != password:
            return _error("invalid_grant", 50126, "Error validating credentials due to invalid username or password.")
        resource = self._service(scope)
        if resource not in (*MICROSOFT_RESOURCES, self._azure.vault_resource):
            return _error("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
        claims = {
            **self._v1(directory.tenant, resource, person["id"]),
            "idtyp": "user",
            "upn": name,
            "unique_name": name,
            "wids": person["wids"],
            "scp": tenancy.CLI_SCOPES if "graph" in resource else "user_impersonation",
        }
        return JSONResponse(_answer(self.sign(claims)))

    def _issue(self, directory: tenancy.Directory, application: dict[str, Any], scope: str) -> Response:
        resource = scope.removesuffix("/.default")
        if scope == resource:
            return _error("invalid_scope", 1002012, f"The provided value for scope {scope} is not valid; it must end with /.default.")
        principal = directory.find("servicePrincipals", "appId", application["appId"])
        if principal is None:
            return _error("unauthorized_client", 700016, "The application has no service principal in the directory.")
        service = self._service(scope)
        if service in (*MICROSOFT_RESOURCES, self._azure.vault_resource):
            roles = application.get("graphPermissions", []) if "graph" in service else []
            return JSONResponse(_answer(self.microsoft_token(principal["id"], service, application["appId"], roles, directory.tenant)))
        api = next(
            (entry for entry in directory.all("applications") if resource in (entry["appId"], *entry.get("identifierUris", []))), None
        )
        api_principal = directory.find("servicePrincipals", "appId", api["appId"]) if api else None
        if api is None or api_principal is None or self._unknown_yet(api_principal):
            return _error("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
        if api["appId"] == application["appId"] != resource:
            text = f"Application '{api['appId']}' is requesting a token for itself. This scenario is supported only if resource is"
            return _error("invalid_request", 90009, f"{text} specified using the GUID based App Identifier.")
        roles = self._roles(directory, api, api_principal["id"], principal["id"])
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
        return JSONResponse(
            _answer(self.sign({**claims, "iss": self._azure.issuer(directory.tenant), "tid": directory.tenant, "ver": "2.0"}))
        )

    def _service(self, scope: str) -> str:
        """The resource that a scope names. A client that takes a service's address for its name means the service."""
        resource = scope.removesuffix("/.default").rstrip("/")
        local = {f"https://localhost:{self._azure.layout.ports[port]}": name for port, name in _ADDRESSES.items()}
        local[f"https://localhost:{self._azure.layout.ports['vault']}"] = self._azure.vault_resource
        return _ALIASES.get(resource) or local.get(resource, resource)

    def _unknown_yet(self, principal: dict[str, Any]) -> bool:
        """Whether the token endpoint has not heard yet of a service principal that Graph shows already."""
        return time.time() < float(principal.get("createdAt", 0)) + self._azure.layout.pace.of(RESOURCE_PRINCIPAL_KNOWN)

    def microsoft_token(
        self, principal_id: str, resource: str, app_id: str = "", roles: list[str] | None = None, tenant: str = TENANT
    ) -> str:
        """A v1 token for one of Microsoft's own services, also for managed identities."""
        claims = {**self._v1(tenant, resource, principal_id), "appid": app_id, "idtyp": "app"}
        if roles:
            claims["roles"] = roles
        return self.sign(claims)

    @staticmethod
    def _v1(tenant: str, resource: str, holder: str) -> dict[str, Any]:
        return {"aud": resource, "iss": f"https://sts.windows.net/{tenant}/", "oid": holder, "sub": holder, "tid": tenant, "ver": "1.0"}

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims with the published key; times are added where they are missing."""
        now = int(time.time())
        full = {"iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS, "uti": uuid4().hex, **claims}
        return jwt.encode(full, self._azure.key, algorithm="RS256", headers={"kid": KEY_ID})

    def read(self, token: str, audience: str) -> dict[str, Any]:
        """Claims of a token for one of the stand-ins. Raises ``jwt.PyJWTError``."""
        claims: dict[str, Any] = jwt.decode(
            token, self._azure.key.public_key(), algorithms=["RS256"], audience=[audience, audience + "/"], options={"require": ["exp"]}
        )
        return claims

    @staticmethod
    def _roles(directory: tenancy.Directory, api: dict[str, Any], api_principal: str, principal: str) -> list[str]:
        given = {entry["appRoleId"] for entry in directory.all("appRoleAssignments", api_principal) if entry["principalId"] == principal}
        return [role["value"] for role in api.get("appRoles", []) if role["id"] in given and role.get("isEnabled", True)]

    def _wrong_tenant(self, request: Request) -> Response | None:
        tenant = request.path_params["tenant"]
        if tenancy.known(self._azure.store, tenant):
            return None
        return _error("invalid_request", 90002, f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.")


def _answer(token: str) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS, "access_token": token}


def _error(name: str, code: int, text: str, status: int = 400) -> Response:
    body = {"error": name, "error_description": f"AADSTS{code}: {text}", "error_codes": [code], "trace_id": str(uuid4())}
    return JSONResponse(body, status)
