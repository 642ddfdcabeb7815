"""Microsoft Graph v1.0: applications, service principals, app role assignments and deleted items, as far as `genai` uses them.

As the real one does: a fresh object answers 404 for a moment, and what refers to it 400 or 403; a deleted application
stays in ``/directory/deletedItems`` and keeps its ``uniqueName``, and creating the same name meanwhile answers 400; whoever
creates by POST owns what was made, whoever creates by PATCH does not, and ``Application.ReadWrite.OwnedBy`` alone reaches
no farther than what the caller owns.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure.entra import Entra
from genai_platform.sandbox.azure.world import TENANT, World

Body = dict[str, Any]
_HIDDEN = ("secrets", "createdAt", "graphPermissions", "owners")
_WRITE = {"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"}
_ASSIGN = {"AppRoleAssignment.ReadWrite.All"}


class Graph:
    """The routes under ``/v1.0``."""

    def __init__(self, world: World, entra: Entra) -> None:
        self._world = world
        self._store = world.store
        self._entra = entra

    def routes(self) -> list[Route]:
        handlers: list[tuple[str, str, Callable[[Request], Response]]] = [
            ("GET", "/applications", self._list_applications),
            ("POST", "/applications", self._create_application),
            ("PATCH", "/applications(uniqueName='{name}')", self._upsert_application),
            ("GET", "/applications(uniqueName='{name}')", self._get_application),
            ("GET", "/applications(appId='{app_id}')", self._get_application),
            ("GET", "/applications/{id}", self._get_application),
            ("PATCH", "/applications/{id}", self._patch_application),
            ("DELETE", "/applications/{id}", self._delete_application),
            ("POST", "/applications/{id}/addPassword", self._add_password),
            ("POST", "/applications/{id}/removePassword", self._remove_password),
            ("GET", "/servicePrincipals", self._list_principals),
            ("POST", "/servicePrincipals", self._create_principal),
            ("PATCH", "/servicePrincipals(appId='{app_id}')", self._upsert_principal),
            ("GET", "/servicePrincipals(appId='{app_id}')", self._get_principal),
            ("GET", "/servicePrincipals/{id}", self._get_principal),
            ("PATCH", "/servicePrincipals/{id}", self._patch_principal),
            ("DELETE", "/servicePrincipals/{id}", self._delete_principal),
            ("GET", "/servicePrincipals/{id}/appRoleAssignedTo", self._list_assignments),
            ("POST", "/servicePrincipals/{id}/appRoleAssignedTo", self._assign),
            ("DELETE", "/servicePrincipals/{id}/appRoleAssignedTo/{assignment}", self._unassign),
            ("GET", "/directory/deletedItems/microsoft.graph.application", self._list_deleted),
            ("GET", "/directory/deletedItems/microsoft.graph.servicePrincipal", self._list_deleted_principals),
            ("POST", "/directory/deletedItems/{id}/restore", self._restore),
            ("DELETE", "/directory/deletedItems/{id}", self._purge),
            ("GET", "/organization", self._organization),
        ]
        return [Route("/v1.0" + path, self._guarded(handler, method), methods=[method]) for method, path, handler in handlers]

    def _guarded(self, handler: Callable[[Request], Response], method: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            await request.body()
            try:
                claims = self._entra.read(request.headers.get("authorization", "").partition(" ")[2], "https://graph.microsoft.com")
            except jwt.PyJWTError:
                return fault(401, "InvalidAuthenticationToken", "Access token validation failure.")
            held = set(claims.get("roles", []))
            needed = _ASSIGN if "appRoleAssignedTo" in request.url.path and method != "GET" else _WRITE
            if not held & (needed if method != "GET" else _WRITE | {"Application.Read.All"}):
                return _denied()
            request.state.caller, request.state.permissions = str(claims.get("oid")), held
            with self._store.exclusively():
                return handler(request)

        return answer

    # -- applications -----------------------------------------------------------------------------
    def _find(self, kind: str, request: Request) -> Body | None:
        wanted = request.path_params
        if "id" in wanted:
            found = self._store.get(kind, wanted["id"])
        elif "app_id" in wanted:
            found = self._store.find(kind, "appId", wanted["app_id"])
        else:
            found = self._store.find(kind, "uniqueName", wanted["name"])
        return found if found and not self._fresh(found) else None

    def _fresh(self, found: Body) -> bool:
        """Whether an object was made so short a time ago that it is not known everywhere."""
        return time.time() < float(found["createdAt"]) + self._world.delays.directory

    @staticmethod
    def _owns(request: Request, found: Body) -> bool:
        """Whether the caller may change an object: its own ones, or any with the wider permission. Unrecorded owners do not count."""
        caller = str(request.state.caller)
        owners: list[str] = found.get("owners", [caller])
        return "Application.ReadWrite.All" in set(request.state.permissions) or caller in owners

    def _list_applications(self, request: Request) -> Response:
        return listed(_filtered(self._store.all("applications"), request))

    def _get_application(self, request: Request) -> Response:
        found = self._find("applications", request)
        return JSONResponse(_public(found)) if found else _not_found(request)

    def _upsert_application(self, request: Request) -> Response:
        name = request.path_params["name"]
        existing = self._store.find("applications", "uniqueName", name)
        body = _body(request)
        if existing:
            if not self._owns(request, existing):
                return _denied()
            self._store.put("applications", existing["id"], {**existing, **body})
            return Response(status_code=204)
        if request.headers.get("prefer") != "create-if-missing":
            return _not_found(request)
        return self._new_application(name, body, owners=[])

    def _create_application(self, request: Request) -> Response:
        body = _body(request)
        return self._new_application(str(body.get("uniqueName") or uuid4()), body, owners=[request.state.caller])

    def _new_application(self, name: str, body: Body, owners: list[str]) -> Response:
        if any(self._store.find(kind, "uniqueName", name) for kind in ("applications", "deletedApplications")):
            return fault(400, "Request_BadRequest", "Another object with the same value for property uniqueName already exists.")
        made = {"id": str(uuid4()), "appId": str(uuid4()), "identifierUris": [], "appRoles": [], **body, "uniqueName": name}
        made |= {"passwordCredentials": [], "secrets": [], "createdAt": time.time(), "owners": owners}
        self._store.put("applications", made["id"], made)
        return JSONResponse(_public(made), 201)

    def _patch_application(self, request: Request) -> Response:
        found = self._find("applications", request)
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        body = _body(request)
        for uri in body.get("identifierUris", []):
            if uri != f"api://{found['appId']}":
                return fault(400, "HostNameNotOnVerifiedDomain", f"Values of identifierUris property must use a verified domain: '{uri}'.")
        self._store.put("applications", found["id"], {**found, **body})
        return Response(status_code=204)

    def _delete_application(self, request: Request) -> Response:
        found = self._find("applications", request)
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        self._store.delete("applications", found["id"])
        self._store.put("deletedApplications", found["id"], {**found, "deletedDateTime": _stamp()})
        if principal := self._store.find("servicePrincipals", "appId", found["appId"]):
            self._forget_principal(principal)
        return Response(status_code=204)

    def _add_password(self, request: Request) -> Response:
        found = self._find("applications", request)
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        wanted = _body(request).get("passwordCredential", {})
        until = datetime.fromisoformat(wanted["endDateTime"]) if wanted.get("endDateTime") else datetime.now(UTC) + timedelta(days=730)
        credential = {"keyId": str(uuid4()), "displayName": wanted.get("displayName", ""), "startDateTime": _stamp()}
        credential |= {"endDateTime": until.isoformat(), "hint": "abc"}
        value = secrets.token_urlsafe(30)
        found["passwordCredentials"].append(credential)
        found["secrets"].append({"keyId": credential["keyId"], "value": value, "from": time.time(), "until": until.timestamp()})
        self._store.put("applications", found["id"], found)
        return JSONResponse({**credential, "secretText": value})

    def _remove_password(self, request: Request) -> Response:
        found, key = self._find("applications", request), _body(request).get("keyId")
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        for name in ("passwordCredentials", "secrets"):
            found[name] = [entry for entry in found[name] if entry["keyId"] != key]
        self._store.put("applications", found["id"], found)
        return Response(status_code=204)

    # -- service principals -------------------------------------------------------------------------
    def _list_principals(self, request: Request) -> Response:
        return listed(_filtered(self._store.all("servicePrincipals"), request))

    def _get_principal(self, request: Request) -> Response:
        found = self._find("servicePrincipals", request)
        return JSONResponse(_public(found)) if found else _not_found(request)

    def _upsert_principal(self, request: Request) -> Response:
        app_id = request.path_params["app_id"]
        existing = self._store.find("servicePrincipals", "appId", app_id)
        if existing:
            if not self._owns(request, existing):
                return _denied()
            self._store.put("servicePrincipals", existing["id"], {**existing, **_body(request)})
            return Response(status_code=204)
        if request.headers.get("prefer") != "create-if-missing":
            return _not_found(request)
        return self._new_principal({**_body(request), "appId": app_id}, owners=[])

    def _create_principal(self, request: Request) -> Response:
        body = _body(request)
        if self._store.find("servicePrincipals", "appId", str(body.get("appId"))):
            text = f"The service principal cannot be created, updated, or restored because the name {body['appId']} is already in use."
            return fault(409, "Request_MultipleObjectsWithSameKeyValue", text)
        return self._new_principal(body, owners=[request.state.caller])

    def _new_principal(self, body: Body, owners: list[str]) -> Response:
        application = self._store.find("applications", "appId", str(body.get("appId")))
        if application is None:
            return fault(400, "Request_BadRequest", f"The appId '{body.get('appId')}' does not reference a valid application object.")
        if self._fresh(application):
            text = "When using this permission, the backing application of the service principal being created must in the local tenant"
            return fault(403, "Authorization_RequestDenied", text)
        made = {"id": str(uuid4()), "displayName": application.get("displayName"), **body, "createdAt": time.time(), "owners": owners}
        self._store.put("servicePrincipals", made["id"], made)
        return JSONResponse(_public(made), 201)

    def _patch_principal(self, request: Request) -> Response:
        found = self._find("servicePrincipals", request)
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        self._store.put("servicePrincipals", found["id"], {**found, **_body(request)})
        return Response(status_code=204)

    def _delete_principal(self, request: Request) -> Response:
        found = self._find("servicePrincipals", request)
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        self._forget_principal(found)
        return Response(status_code=204)

    def _forget_principal(self, principal: Body) -> None:
        self._store.delete("servicePrincipals", principal["id"])
        self._store.put("deletedServicePrincipals", principal["id"], {**principal, "deletedDateTime": _stamp()})
        for field in ("principalId", "resourceId"):
            for assignment in self._store.matching("appRoleAssignments", field, principal["id"]):
                self._store.delete("appRoleAssignments", f"{assignment['resourceId']}/{assignment['id']}")

    # -- app role assignments -------------------------------------------------------------------------
    def _list_assignments(self, request: Request) -> Response:
        return listed(self._store.all("appRoleAssignments", request.path_params["id"] + "/"))

    def _assign(self, request: Request) -> Response:
        body, resource = _body(request), self._store.get("servicePrincipals", request.path_params["id"])
        principal = self._store.get("servicePrincipals", str(body.get("principalId")))
        if resource is None or principal is None:
            return fault(404, "Request_ResourceNotFound", f"Resource '{body.get('principalId')}' does not exist.")
        if self._fresh(resource) or self._fresh(principal):
            return fault(400, "Request_BadRequest", "Not a valid reference update.")
        api = self._store.find("applications", "appId", resource["appId"]) or {}
        if body.get("appRoleId") not in [role["id"] for role in api.get("appRoles", [])]:
            return fault(400, "Request_BadRequest", "Permission being assigned was not found on application.")
        for known in self._store.matching("appRoleAssignments", "principalId", principal["id"]):
            if (known["resourceId"], known["appRoleId"]) == (resource["id"], body["appRoleId"]):
                return fault(400, "Request_BadRequest", "Permission being assigned already exists on the object.")
        made = {"id": uuid4().hex, "principalId": principal["id"], "resourceId": resource["id"], "appRoleId": body["appRoleId"]}
        made |= {"principalDisplayName": principal.get("displayName"), "principalType": "ServicePrincipal", "createdDateTime": _stamp()}
        self._store.put("appRoleAssignments", f"{resource['id']}/{made['id']}", made)
        return JSONResponse(made, 201)

    def _unassign(self, request: Request) -> Response:
        key = f"{request.path_params['id']}/{request.path_params['assignment']}"
        if self._store.get("appRoleAssignments", key) is None:
            return _not_found(request)
        self._store.delete("appRoleAssignments", key)
        return Response(status_code=204)

    # -- deleted items ----------------------------------------------------------------------------------
    def _list_deleted(self, request: Request) -> Response:
        return listed(_filtered(self._store.all("deletedApplications"), request))

    def _list_deleted_principals(self, request: Request) -> Response:
        return listed(_filtered(self._store.all("deletedServicePrincipals"), request))

    def _restore(self, request: Request) -> Response:
        found = self._store.get("deletedApplications", request.path_params["id"])
        if not found:
            return _not_found(request)
        if not self._owns(request, found):
            return _denied()
        self._store.delete("deletedApplications", found["id"])
        found.pop("deletedDateTime")
        self._store.put("applications", found["id"], found)
        return JSONResponse(_public(found))

    def _purge(self, request: Request) -> Response:
        for kind in ("deletedApplications", "deletedServicePrincipals"):
            if found := self._store.get(kind, request.path_params["id"]):
                if not self._owns(request, found):
                    return _denied()
                self._store.delete(kind, request.path_params["id"])
                return Response(status_code=204)
        return _not_found(request)

    def _organization(self, request: Request) -> Response:
        return listed([{"id": TENANT, "displayName": "sandbox"}])


def fault(status: int, code: str, message: str) -> Response:
    """An error as Graph words it."""
    return JSONResponse({"error": {"code": code, "message": message, "innerError": {"request-id": str(uuid4())}}}, status)


def listed(entries: list[Body]) -> Response:
    return JSONResponse({"value": [_public(entry) for entry in entries]})


def _filtered(entries: list[Body], request: Request) -> list[Body]:
    found = re.fullmatch(r"\s*(?:(startswith)\((\w+),\s*'([^']*)'\)|(\w+) eq '([^']*)')\s*", request.query_params.get("$filter", ""))
    if "$filter" in request.query_params and not found:
        raise ValueError(f"unsupported $filter: {request.query_params['$filter']}")
    if not found:
        return entries
    if found[1]:
        return [entry for entry in entries if str(entry.get(found[2], "")).startswith(found[3])]
    return [entry for entry in entries if str(entry.get(found[4], "")) == found[5]]


def _public(entry: Body) -> Body:
    return {name: value for name, value in entry.items() if name not in _HIDDEN}


def _denied() -> Response:
    return fault(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _not_found(request: Request) -> Response:
    named = next(iter(request.path_params.values()), "")
    return fault(404, "Request_ResourceNotFound", f"Resource '{named}' does not exist or one of its queried references is not present.")


def _body(request: Request) -> Body:
    raw: bytes = getattr(request, "_body", b"")
    body: Body = json.loads(raw or b"{}")
    return body


def _stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
