"""Entra ID: the endpoints of the Microsoft identity platform v2.0, with published keys, for every tenant of the sandbox.

Errors carry the codes the real one uses (AADSTS…, Microsoft identity platform error reference).
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

import jwt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure import entra_assertions, entra_sign_in, tenancy
from genai_platform.sandbox.azure.entra_errors import Refused
from genai_platform.sandbox.azure.entra_person_tokens import id_claims, roles_of
from genai_platform.sandbox.azure.state import MICROSOFT_RESOURCES, AzureState
from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.azure.throttle import retry_after
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

    def __init__(self, azure: AzureState) -> None:
        self._azure = azure

    def routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
            Route("/{tenant}/oauth2/v2.0/authorize", self._authorize, methods=["GET", "POST"]),
        ]

    async def _configuration(self, request: Request) -> Response:
        tenant = self._directory(request).tenant
        base = f"{self._azure.authority}/{tenant}"
        return JSONResponse(
            {
                "issuer": self._azure.issuer(tenant),
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "userinfo_endpoint": f"https://localhost:{self._azure.layout.ports['graph']}/oidc/userinfo",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "subject_types_supported": ["pairwise"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        self._directory(request)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._azure.key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": KEY_ID, "use": "sig"}]})

    async def _token(self, request: Request) -> Response:
        directory = self._directory(request)
        if wait := self._azure.throttle.refuses("entra"):
            text = "AADSTS90055: There are too many requests for this tenant or application."
            return JSONResponse({"error": "temporarily_unavailable", "error_description": text}, 429, retry_after(wait))
        form = {name: str(value) for name, value in (await request.form()).items()}
        return await run_in_threadpool(self._granted, directory, form, request.headers.get("authorization", ""))

    async def _authorize(self, request: Request) -> Response:
        directory, login = self._directory(request), await entra_sign_in.given(request)
        with self._azure.store.exclusively():
            return entra_sign_in.page(directory, request, login)

    def _granted(self, directory: tenancy.Directory, form: dict[str, str], authorization: str) -> Response:
        scope = " ".join(one for one in form.get("scope", "").split() if one not in _OF_THE_PROTOCOL)
        kind = form.get("grant_type")
        if kind == "password":
            return self._signed_in(directory, str(form.get("username")), str(form.get("password")), scope)
        if kind not in ("client_credentials", "authorization_code", "refresh_token"):
            raise Refused("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if authorization.lower().startswith("basic "):
            client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            form = {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret), **form}
        client_id = form.get("client_id", "")
        application = directory.find("applications", "appId", client_id)
        if application is None:
            raise Refused("unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory.")
        if kind == "client_credentials":
            self._prove(directory, application, form)
            return self._issue(directory, application, scope)
        return self._of_person(directory, application, form)

    def _prove(self, directory: tenancy.Directory, application: dict[str, Any], form: dict[str, str]) -> None:
        """The client is who it says, by a secret or by another issuer's token. Raises ``Refused``."""
        if "client_assertion" in form:
            if form.get("client_assertion_type") != entra_assertions.TYPE:
                raise Refused("invalid_request", 900144, "The request body must contain the following parameter: 'client_assertion_type'.")
            entra_assertions.check(self._azure, directory, application, form["client_assertion"])
        elif "client_secret" in form:
            self._check_secret(application, form["client_secret"])
        else:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Refused("invalid_client", 7000218, text, 401)

    def _of_person(self, directory: tenancy.Directory, application: dict[str, Any], form: dict[str, str]) -> Response:
        """Tokens for a code or a refresh token: for Microsoft Graph, and an ID token for the client itself."""
        redeem = entra_sign_in.redeemed if form["grant_type"] == "authorization_code" else entra_sign_in.refreshed
        with self._azure.store.exclusively():
            grant = redeem(directory, application, form)
        if grant["kind"] == "web":
            self._prove(directory, application, form)
        elif "client_secret" in form and grant["kind"] == "spa":
            raise Refused("invalid_request", 90023, "Cross-origin clients can't use a secret.")
        elif "client_secret" in form:
            raise Refused("invalid_request", 700025, "Public clients can't send a client secret.")
        person, scopes = directory.get("users", grant["person"]), grant["scope"].split()
        if person is None:
            raise Refused("invalid_grant", 50034, "The user account does not exist in the directory.")
        graph = f"https://localhost:{self._azure.layout.ports['graph']}"
        nonce = {"nonce": grant["nonce"]} if grant["nonce"] else {}
        claims = id_claims(directory, application, person, scopes, graph) | {"iss": self._azure.issuer(directory.tenant)} | nonce
        access = {
            **self._v1(directory.tenant, "https://graph.microsoft.com", person["id"]),
            "appid": application["appId"], "idtyp": "user", "upn": person["userPrincipalName"], "wids": person["wids"],
            "scp": " ".join(one.removeprefix("https://graph.microsoft.com/") for one in scopes if one != "offline_access"),
        }  # fmt: skip
        answer = _answer(self.sign(access)) | {"scope": access["scp"], "id_token": self.sign(claims)}
        if "offline_access" in scopes:
            answer["refresh_token"] = entra_sign_in.refresh_token(directory, grant)
        return JSONResponse(answer)

    def _check_secret(self, application: dict[str, Any], secret: str) -> None:
        now = time.time()
        known = next((entry for entry in application["secrets"] if entry["value"] == secret), None)
        if known is None or now < known["from"] + self._azure.layout.pace.of(CLIENT_SECRET_KNOWN) * (known["from"] > 0):
            raise Refused("invalid_client", 7000215, "Invalid client secret provided.", 401)
        if now > known["until"]:
            raise Refused("invalid_client", 7000222, "The provided client secret keys are expired.", 401)

    def _signed_in(self, directory: tenancy.Directory, name: str, password: str, scope: str) -> Response:
        """A person's token for one of Microsoft's services: what a client gets with which somebody is signed in."""
        person = directory.find("users", "userPrincipalName", name)
        if person is None or person["password"] != password:
            raise Refused("invalid_grant", 50126, "Error validating credentials due to invalid username or password.")
        resource = self._service(scope)
        if resource not in (*MICROSOFT_RESOURCES, self._azure.vault_resource):
            raise Refused("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
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
            raise Refused("invalid_scope", 1002012, f"The provided value for scope {scope} is not valid; it must end with /.default.")
        principal = directory.find("servicePrincipals", "appId", application["appId"])
        if principal is None:
            raise Refused("unauthorized_client", 700016, "The application has no service principal in the directory.")
        service = self._service(scope)
        if service in (*MICROSOFT_RESOURCES, self._azure.vault_resource):
            roles = application.get("graphPermissions", []) if "graph" in service else []
            return JSONResponse(_answer(self.microsoft_token(principal["id"], service, application["appId"], roles, directory.tenant)))
        everything = directory.all("applications")
        api = next((entry for entry in everything if resource in (entry["appId"], *entry.get("identifierUris", []))), None)
        api_principal = directory.find("servicePrincipals", "appId", api["appId"]) if api else None
        if api is None or api_principal is None or self._unknown_yet(api_principal):
            raise Refused("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
        if api["appId"] == application["appId"] != resource:
            text = f"Application '{api['appId']}' is requesting a token for itself. This scenario is supported only if resource is"
            raise Refused("invalid_request", 90009, f"{text} specified using the GUID based App Identifier.")
        roles = roles_of(directory, api, {principal["id"]})
        if not roles and api_principal.get("appRoleAssignmentRequired"):
            raise Refused("invalid_grant", 501051, f"Application '{application['appId']}' is not assigned to a role for the application.")
        claims = {"aud": api["appId"], "azp": application["appId"], "azpacr": "1", "oid": principal["id"], "sub": principal["id"]}
        claims |= {"iss": self._azure.issuer(directory.tenant), "tid": directory.tenant, "ver": "2.0"}
        return JSONResponse(_answer(self.sign(claims | ({"roles": roles} if roles else {}))))

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
        return self.sign(claims | ({"roles": roles} if roles else {}))

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
        key, audiences = self._azure.key.public_key(), [audience, audience + "/"]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audiences, options={"require": ["exp"]})

    def _directory(self, request: Request) -> tenancy.Directory:
        """That of the tenant in the path. Raises ``Refused`` for one that does not exist."""
        tenant = request.path_params["tenant"]
        if all(entry["tenantId"] != tenant for entry in self._azure.store.all("subscriptions")):
            text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            raise Refused("invalid_request", 90002, text)
        return self._azure.directory(tenant)


def _answer(token: str) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS, "access_token": token}
