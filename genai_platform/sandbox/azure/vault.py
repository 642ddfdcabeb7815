"""Key Vault's data plane: secrets with versions, soft delete, the authentication challenge and role checks.

The first request of a client carries no token; it is answered 401 with the authority and resource to ask, as the real
service does, and the SDK verifies that the resource belongs to the vault's own host name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.entra_directory import body_of
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.roles import SECRETS_OFFICER, SECRETS_USER, holds
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.throttle import retry_after
from genai_platform.sandbox.pace import SECRET_DELETED

Body = dict[str, Any]
_PAGE = 25


class Vault:
    """Every vault of the sandbox; the first label of the host name chooses which."""

    def __init__(self, azure: AzureState, entra: Entra, unreachable: Callable[[str], bool]) -> None:
        """``unreachable`` says whether a secret cannot be read just now."""
        self._azure, self._store, self._entra, self._unreachable = azure, azure.store, entra, unreachable

    def routes(self) -> list[Route]:
        handlers: list[tuple[str, str, Callable[[Request, Body], Response]]] = [
            ("GET", "/secrets", self._list),
            ("GET", "/secrets/{name}/versions", self._versions),
            ("GET", "/secrets/{name}", self._get),
            ("GET", "/secrets/{name}/{version}", self._get),
            ("PUT", "/secrets/{name}", self._set),
            ("PATCH", "/secrets/{name}/{version}", self._update),
            ("PATCH", "/secrets/{name}", self._update),
            ("DELETE", "/secrets/{name}", self._delete),
            ("GET", "/deletedsecrets", self._list_deleted),
            ("GET", "/deletedsecrets/{name}", self._get_deleted),
            ("DELETE", "/deletedsecrets/{name}", self._purge),
            ("POST", "/deletedsecrets/{name}/recover", self._recover),
        ]
        # A trailing slash means "the newest version" in the SDK's addresses.
        every = [(method, path + slash, handler) for method, path, handler in handlers for slash in ("", "/")]
        return [Route(path, self._guarded(handler, method), methods=[method]) for method, path, handler in every]

    def _guarded(self, handler: Callable[[Request, Body], Response], method: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            await request.body()
            if wait := self._azure.throttle.refuses("vault"):
                text = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
                raise Fault(429, "Throttled", text, retry_after(wait))
            if method == "GET" and self._unreachable(request.path_params.get("name", "")):
                return Response(status_code=503)
            token = request.headers.get("authorization", "").partition(" ")[2]
            vault = self._named(request.url.hostname or "")
            try:
                claims = self._read(token)
            except jwt.PyJWTError:
                tenant = tenancy.tenant_of(self._store, vault["id"]) if vault else tenancy.TENANT
                local = request.url.hostname == "localhost"
                resource = f"https://{request.url.netloc}" if local else self._azure.vault_resource
                challenge = f'Bearer authorization="{self._azure.authority}/{tenant}", resource="{resource}"'
                raise Fault(
                    401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.", {"WWW-Authenticate": challenge}
                ) from None
            if vault is None:
                raise Fault(404, "VaultNotFound", f"The vault '{request.url.hostname}' does not exist.")
            wanted = {SECRETS_OFFICER} if method != "GET" else {SECRETS_OFFICER, SECRETS_USER}
            if not holds(self._store, str(claims.get("oid")), vault["id"], wanted):
                raise Fault(403, "Forbidden", "Caller is not authorized to perform action on resource.", inner="ForbiddenByRbac")
            with self._store.exclusively():
                return handler(request, vault)

        return answer

    def _named(self, host: str) -> Body | None:
        """The vault that a host name means. Where names under ``localhost`` are not resolved, it means the only one there is."""
        if host == "localhost":
            every = self._store.all("vaults")
            return every[0] if len(every) == 1 else None
        return self._store.get("vaults", host.split(".")[0])

    def _read(self, token: str) -> Body:
        try:
            return self._entra.read(token, self._azure.vault_resource)
        except jwt.InvalidAudienceError:
            return self._entra.read(token, "https://vault.azure.net")

    # -- reading ------------------------------------------------------------------------------------
    def _get(self, request: Request, vault: Body) -> Response:
        version = _version(self._held("secrets", request, vault), request)
        if not version["attributes"]["enabled"]:
            raise Fault(403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled")
        return JSONResponse(self._shown(request, version, value=True))

    def _list(self, request: Request, vault: Body) -> Response:
        found = self._store.all("secrets", vault["name"] + "/")
        return self._paged(request, [self._shown(request, entry["versions"][-1], versioned=False) for entry in found])

    def _versions(self, request: Request, vault: Body) -> Response:
        secret = self._store.get("secrets", _key(vault, request))
        return self._paged(request, [self._shown(request, entry) for entry in (secret or {"versions": []})["versions"]])

    def _paged(self, request: Request, entries: list[Body]) -> Response:
        size = int(request.query_params.get("maxresults", _PAGE))
        start = int(request.query_params.get("$skiptoken", "0"))
        answer: Body = {"value": entries[start : start + size], "nextLink": None}
        if start + size < len(entries):
            answer["nextLink"] = str(request.url.include_query_params(**{"$skiptoken": str(start + size)}))
        return JSONResponse(answer)

    # -- writing ------------------------------------------------------------------------------------
    def _set(self, request: Request, vault: Body) -> Response:
        key, body = _key(vault, request), body_of(request)
        self._refuse_while_deleted(request, vault)
        if self._store.get("deletedSecrets", key):
            text = f"Secret {request.path_params['name']} is currently in a deleted but recoverable state."
            raise Fault(409, "Conflict", text, inner="ObjectIsDeletedButRecoverable")
        secret = self._store.get("secrets", key) or {"versions": []}
        now = int(time.time())
        version = {"name": request.path_params["name"], "version": uuid4().hex, "value": body["value"], "tags": body.get("tags") or {}}
        version |= {"contentType": body.get("contentType")}
        version["attributes"] = {"enabled": True, **_given(body), "created": now, "updated": now, "recoveryLevel": "Recoverable"}
        secret["versions"].append(version)
        self._store.put("secrets", key, secret)
        return JSONResponse(self._shown(request, version, value=True))

    def _update(self, request: Request, vault: Body) -> Response:
        body, secret = body_of(request), self._held("secrets", request, vault)
        version = _version(secret, request)
        version["attributes"] |= {**_given(body), "updated": int(time.time())}
        for name in ("tags", "contentType"):
            if body.get(name) is not None:
                version[name] = body[name]
        self._store.put("secrets", _key(vault, request), secret)
        return JSONResponse(self._shown(request, version))

    # -- soft delete ---------------------------------------------------------------------------------
    def _delete(self, request: Request, vault: Body) -> Response:
        key, secret = _key(vault, request), self._held("secrets", request, vault)
        secret |= {"deletedDate": int(time.time()), "deletedAt": time.time()}
        self._store.delete("secrets", key)
        self._store.put("deletedSecrets", key, secret)
        return JSONResponse(self._shown_deleted(request, secret))

    def _get_deleted(self, request: Request, vault: Body) -> Response:
        return JSONResponse(self._shown_deleted(request, self._held("deletedSecrets", request, vault)))

    def _list_deleted(self, request: Request, vault: Body) -> Response:
        entries = [self._shown_deleted(request, entry) for entry in self._store.all("deletedSecrets", vault["name"] + "/")]
        return self._paged(request, entries)

    def _purge(self, request: Request, vault: Body) -> Response:
        self._refuse_while_deleted(request, vault)
        self._store.delete("deletedSecrets", _key(vault, request))
        return Response(status_code=204)

    def _refuse_while_deleted(self, request: Request, vault: Body) -> None:
        """A deletion goes on for a moment after the secret shows among the deleted ones."""
        secret = self._store.get("deletedSecrets", _key(vault, request))
        if secret and time.time() < secret.get("deletedAt", 0) + self._azure.layout.pace.of(SECRET_DELETED):
            raise Fault(409, "Conflict", "Secret is currently being deleted.", inner="ObjectIsBeingDeleted")

    def _recover(self, request: Request, vault: Body) -> Response:
        self._refuse_while_deleted(request, vault)
        key, versions = _key(vault, request), self._held("deletedSecrets", request, vault)["versions"]
        self._store.delete("deletedSecrets", key)
        self._store.put("secrets", key, {"versions": versions})
        return JSONResponse(self._shown(request, versions[-1]))

    def _held(self, kind: str, request: Request, vault: Body) -> Body:
        if (secret := self._store.get(kind, _key(vault, request))) is None:
            raise _missing(request, deleted=kind == "deletedSecrets")
        return secret

    # -- showing ---------------------------------------------------------------------------------------
    def _shown(self, request: Request, version: Body, *, value: bool = False, versioned: bool = True) -> Body:
        base = f"https://{request.url.netloc}/secrets/{version['name']}"
        shown = {"id": f"{base}/{version['version']}" if versioned else base}
        shown |= {name: version[name] for name in ("attributes", "tags", "contentType")}
        return shown | ({"value": version["value"]} if value else {})

    def _shown_deleted(self, request: Request, secret: Body) -> Body:
        version, deleted = secret["versions"][-1], secret["deletedDate"]
        recovery = f"https://{request.url.netloc}/deletedsecrets/{version['name']}"
        dates = {"deletedDate": deleted, "scheduledPurgeDate": deleted + 7 * 86400, "recoveryId": recovery}
        return self._shown(request, version) | dates


def _version(secret: Body, request: Request) -> Body:
    """The version that the path names; without one the newest."""
    wanted, versions = request.path_params.get("version"), list[Body](secret["versions"])
    for entry in reversed(versions):
        if wanted in (None, entry["version"]):
            return entry
    raise _missing(request)


def _missing(request: Request, *, deleted: bool = False) -> Fault:
    name = request.path_params["name"]
    text = f"Deleted Secret not found: {name}" if deleted else f"A secret with (name/id) {name} was not found in this key vault."
    return Fault(404, "SecretNotFound", text)


def _given(body: Body) -> Body:
    attributes = body.get("attributes") or {}
    return {name: attributes[name] for name in ("enabled", "exp", "nbf") if attributes.get(name) is not None}


def _key(vault: Body, request: Request) -> str:
    return f"{vault['name']}/{request.path_params['name']}"


class Fault(Exception):
    """An error as Key Vault words it."""

    def __init__(self, status: int, code: str, text: str, headers: dict[str, str] | None = None, inner: str = "") -> None:
        super().__init__(text)
        self.status, self.code, self.headers, self.inner = status, code, headers or {}, inner

    def answer(self) -> JSONResponse:
        more = {"innererror": {"code": self.inner}} if self.inner else {}
        stamp = {"x-ms-request-id": str(uuid4()), "Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}
        return JSONResponse({"error": {"code": self.code, "message": str(self), **more}}, self.status, {**stamp, **self.headers})
