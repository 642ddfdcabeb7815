"""Graph's service principals and who holds their app roles."""

from __future__ import annotations

import time
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.entra_directory import Body, Collection, Fault, body_of, listed, not_found, public, stamp

DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
"""The role of an application that declares none (appRoleAssignment resource type)."""


class Principals(Collection):
    """``/servicePrincipals``."""

    kind = "servicePrincipals"

    def create(self, request: Request) -> Response:
        body = body_of(request)
        if self.store.find("servicePrincipals", "appId", str(body.get("appId"))):
            text = f"The service principal cannot be created, updated, or restored because the name {body['appId']} is already in use."
            raise Fault(409, "Request_MultipleObjectsWithSameKeyValue", text)
        application = self.store.find("applications", "appId", str(body.get("appId")))
        if application is None:
            raise Fault(400, "Request_BadRequest", f"The appId '{body.get('appId')}' does not reference a valid application object.")
        if self.fresh(application):
            text = "When using this permission, the backing application of the service principal being created must in the local tenant"
            raise Fault(403, "Authorization_RequestDenied", text)
        made = {"id": str(uuid4()), "displayName": application.get("displayName"), "tags": application.get("tags", [])}
        made |= {"servicePrincipalType": "Application", "accountEnabled": True, "appRoles": [], **body}
        made |= {"createdAt": time.time(), "owners": [self.caller]}
        self.store.put("servicePrincipals", made["id"], made)
        return JSONResponse(public(made), 201)

    def patch(self, request: Request) -> Response:
        found = self.own("servicePrincipals", request)
        self.store.put("servicePrincipals", found["id"], {**found, **body_of(request)})
        return Response(status_code=204)

    def delete(self, request: Request) -> Response:
        self.forget(self.own("servicePrincipals", request))
        return Response(status_code=204)

    def forget(self, principal: Body) -> None:
        """Delete a service principal: it lies among the deleted items, and what it held is gone."""
        self.store.delete("servicePrincipals", principal["id"])
        self.store.put("deletedServicePrincipals", principal["id"], {**principal, "deletedDateTime": stamp()})
        for field in ("principalId", "resourceId"):
            for assignment in self.store.matching("appRoleAssignments", field, principal["id"]):
                self.store.delete("appRoleAssignments", f"{assignment['resourceId']}/{assignment['id']}")

    # -- app role assignments -------------------------------------------------------------------------
    def assignments(self, request: Request) -> Response:
        return listed(self.store.all("appRoleAssignments", request.path_params["id"] + "/"))

    def assign(self, request: Request) -> Response:
        body, resource = body_of(request), self.store.get("servicePrincipals", request.path_params["id"])
        kind, principal = self._holder(str(body.get("principalId")))
        if resource is None or principal is None:
            raise Fault(404, "Request_ResourceNotFound", f"Resource '{body.get('principalId')}' does not exist.")
        if self.fresh(resource) or self.fresh(principal):
            raise Fault(400, "Request_BadRequest", "Not a valid reference update.")
        api = self.store.find("applications", "appId", resource["appId"]) or {}
        roles = [role["id"] for role in api.get("appRoles", [])]
        if body.get("appRoleId") not in (roles or [DEFAULT_ROLE]):
            raise Fault(400, "Request_BadRequest", "Permission being assigned was not found on application.")
        for known in self.store.matching("appRoleAssignments", "principalId", principal["id"]):
            if (known["resourceId"], known["appRoleId"]) == (resource["id"], body["appRoleId"]):
                raise Fault(400, "Request_BadRequest", "Permission being assigned already exists on the object.")
        made = {"id": uuid4().hex, "principalId": principal["id"], "resourceId": resource["id"], "appRoleId": body["appRoleId"]}
        made |= {"principalDisplayName": principal.get("displayName"), "principalType": kind, "createdDateTime": stamp()}
        self.store.put("appRoleAssignments", f"{resource['id']}/{made['id']}", made)
        return JSONResponse(public(made), 201)

    def _holder(self, id: str) -> tuple[str, Body | None]:
        for kind, name in (("servicePrincipals", "ServicePrincipal"), ("users", "User"), ("groups", "Group")):
            if found := self.store.get(kind, id):
                return name, found
        return "", None

    def unassign(self, request: Request) -> Response:
        key = f"{request.path_params['id']}/{request.path_params['assignment']}"
        if self.store.get("appRoleAssignments", key) is None:
            raise not_found(request)
        self.store.delete("appRoleAssignments", key)
        return Response(status_code=204)
