"""Graph's applications: names that are unique in a tenant, client secrets, roles that must be disabled before they change."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.entra_directory import Body, Collection, Fault, body_of, not_found, public, stamp
from genai_platform.sandbox.azure.entra_principals import Principals


class Applications(Collection):
    """``/applications``."""

    kind = "applications"

    def upsert(self, request: Request) -> Response:
        existing = self.store.find("applications", "uniqueName", request.path_params["name"])
        if existing:
            return self._change(existing, body_of(request))
        if request.headers.get("prefer") != "create-if-missing":
            raise not_found(request)
        return self._new(request.path_params["name"], body_of(request), owners=[])

    def create(self, request: Request) -> Response:
        body = body_of(request)
        return self._new(str(body.get("uniqueName") or uuid4()), body, owners=[self.caller])

    def _new(self, name: str, body: Body, owners: list[str]) -> Response:
        if any(self.store.find(kind, "uniqueName", name) for kind in ("applications", "deletedApplications")):
            raise Fault(400, "Request_BadRequest", "Another object with the same value for property uniqueName already exists.")
        _check_redirects(body)
        made = {"id": str(uuid4()), "appId": str(uuid4()), "identifierUris": [], "appRoles": [], "tags": [], **body, "uniqueName": name}
        made |= {"passwordCredentials": [], "secrets": [], "createdAt": time.time(), "owners": owners, "createdDateTime": stamp()}
        self.store.put("applications", made["id"], made)
        return JSONResponse(public(made), 201)

    def patch(self, request: Request) -> Response:
        return self._change(self.find("applications", request), body_of(request))

    def _change(self, found: Body, body: Body) -> Response:
        self.require_own(found)
        for uri in body.get("identifierUris", []):
            if uri != f"api://{found['appId']}":
                raise Fault(400, "HostNameNotOnVerifiedDomain", f"Values of identifierUris property must use a verified domain: '{uri}'.")
        _check_redirects(body)
        if _enabled_changed(found, body):
            text = "Property value cannot be deleted or updated unless it is disabled first."
            raise Fault(400, "CannotDeleteOrUpdateEnabledEntitlement", text)
        self.store.put("applications", found["id"], {**found, **body})
        # Tags of an application show at its service principal, too.
        if "tags" in body and (principal := self.store.find("servicePrincipals", "appId", found["appId"])):
            self.store.put("servicePrincipals", principal["id"], {**principal, "tags": body["tags"]})
        return Response(status_code=204)

    def delete(self, request: Request) -> Response:
        found = self.own("applications", request)
        self.store.delete("applications", found["id"])
        self.store.put("deletedApplications", found["id"], {**found, "deletedDateTime": stamp()})
        if principal := self.store.find("servicePrincipals", "appId", found["appId"]):
            Principals(self.azure, self.store, self.caller, self.permissions).forget(principal)
        return Response(status_code=204)

    def add_password(self, request: Request) -> Response:
        found = self.own("applications", request)
        wanted = body_of(request).get("passwordCredential") or {}
        until = datetime.fromisoformat(wanted["endDateTime"]) if wanted.get("endDateTime") else datetime.now(UTC) + timedelta(days=730)
        credential = {"keyId": str(uuid4()), "displayName": wanted.get("displayName", ""), "startDateTime": stamp()}
        credential |= {"endDateTime": until.isoformat(), "hint": "abc"}
        value = secrets.token_urlsafe(30)
        found["passwordCredentials"].append(credential)
        found["secrets"].append({"keyId": credential["keyId"], "value": value, "from": time.time(), "until": until.timestamp()})
        self.store.put("applications", found["id"], found)
        return JSONResponse({**credential, "secretText": value})

    def remove_password(self, request: Request) -> Response:
        found, key = self.own("applications", request), body_of(request).get("keyId")
        for name in ("passwordCredentials", "secrets"):
            found[name] = [entry for entry in found[name] if entry["keyId"] != key]
        self.store.put("applications", found["id"], found)
        return Response(status_code=204)


def _check_redirects(body: Body) -> None:
    """Redirect addresses are https, or this machine ("Redirect URI (reply URL) best practices and limitations")."""
    for kind in ("web", "spa"):
        for uri in (body.get(kind) or {}).get("redirectUris") or ():
            if not re.match(r"https://[^*]+$|http://(localhost|127\.0\.0\.1)([:/]|$)", uri):
                raise Fault(400, "Request_BadRequest", f"Reply url '{uri}' is invalid: it must start with https:// or http://localhost.")


def _enabled_changed(found: Body, body: Body) -> bool:
    """Whether a role or a scope would go, or get another value, that is enabled (Graph: app roles, "disable before removing")."""
    scopes = (found.get("api") or {}).get("oauth2PermissionScopes") or [], (body.get("api") or {}).get("oauth2PermissionScopes")
    for held, wanted in ((found.get("appRoles") or [], body.get("appRoles")), scopes):
        if wanted is None:
            continue
        after = {one["id"]: one.get("value") for one in wanted}
        if any(one.get("isEnabled", True) and after.get(one["id"]) != one.get("value") for one in held):
            return True
    return False
