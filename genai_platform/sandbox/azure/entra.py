"""Microsoft Graph v1.0: applications, service principals, app role assignments and deleted items of each tenant.

As the real one does: a fresh object answers 404 for a moment, and what refers to it 400 or 403; a deleted application
stays in ``/directory/deletedItems`` and keeps its ``uniqueName``, and creating the same name meanwhile answers 400; who
creates by POST owns what was made, who creates by PATCH does not, and ``Application.ReadWrite.OwnedBy`` alone reaches
no farther than what the caller owns. What a person may do follows from directory roles: an administrator of applications
changes every application of the tenant, anyone else the own ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure.entra_applications import Applications
from genai_platform.sandbox.azure.entra_directory import EVERYTHING, Asked, Fault, body_of, denied, filtered, listed, not_found, public
from genai_platform.sandbox.azure.entra_federated_credentials import KIND as CREDENTIALS
from genai_platform.sandbox.azure.entra_federated_credentials import FederatedCredentials
from genai_platform.sandbox.azure.entra_people import People
from genai_platform.sandbox.azure.entra_principals import Principals
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.throttle import retry_after

_WRITE = frozenset({"Application.ReadWrite.OwnedBy", EVERYTHING})
_ASSIGN = frozenset({"AppRoleAssignment.ReadWrite.All"})
_READ = _WRITE | {"Application.Read.All"}
_SIGNED_IN = frozenset({"openid", "User.Read"})
"""Delegated permissions of a client that a person signed in to: userinfo, and the person's own entry."""
_PEOPLE = frozenset({"Directory.Read.All", "User.Read.All", "User.ReadBasic.All"})
_DIRECTORY = frozenset({"Directory.Read.All", "Group.Read.All", "GroupMember.Read.All", "User.Read.All"})
"""Any of them reads people's groups (user: getMemberObjects)."""
_ADMINISTRATORS = {
    "158c047a-c907-4556-b7ef-446551a6b5f7", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "62e90394-69f5-4237-9190-012177145e10",
}  # fmt: skip
"""Template ids of the directory roles that administer applications: Cloud Application, Application, Global Administrator."""
Kind = TypeVar("Kind", bound=Asked)
_READ_ORGANIZATION = frozenset({"Organization.Read.All", "Directory.Read.All"})


class Deleted(Asked):
    """``/directory/deletedItems``: applications, and apart from them their service principals."""

    def applications(self, request: Request) -> Response:
        return listed(filtered(self.store.all("deletedApplications"), request))

    def principals(self, request: Request) -> Response:
        return listed(filtered(self.store.all("deletedServicePrincipals"), request))

    def restore(self, request: Request) -> Response:
        """A service principal is not restored with its application (deletedItems: restore)."""
        for kind, back in (("deletedApplications", "applications"), ("deletedServicePrincipals", "servicePrincipals")):
            if found := self.store.get(kind, request.path_params["id"]):
                self.require_own(found)
                self.store.delete(kind, found["id"])
                found.pop("deletedDateTime")
                self.store.put(back, found["id"], found)
                return JSONResponse(public(found))
        raise not_found(request)

    def purge(self, request: Request) -> Response:
        for kind in ("deletedApplications", "deletedServicePrincipals"):
            if found := self.store.get(kind, request.path_params["id"]):
                self.require_own(found)
                self.store.delete(kind, found["id"])
                for one in self.store.all(CREDENTIALS, f"{found['id']}/"):
                    self.store.delete(CREDENTIALS, f"{found['id']}/{one['id']}")
                return Response(status_code=204)
        raise not_found(request)


class Others(Asked):
    """How full the tenant is, and objects of any kind."""

    def size(self, request: Request) -> Response:
        """The beta's organization, which tells how full the directory is. 50 000 objects: a tenant without a verified domain."""
        if not self.permissions & _READ_ORGANIZATION:
            raise denied()
        kinds = ("applications", "servicePrincipals", "users", "deletedApplications", "deletedServicePrincipals")
        quota = {"used": sum(len(self.store.all(kind)) for kind in kinds), "total": 50_000, **(self.store.get("quota", "directory") or {})}
        return listed([{"id": self.store.tenant, "directorySizeQuota": quota}])

    def by_ids(self, request: Request) -> Response:
        """Objects of any kind by their identifiers; unknown ones are left out."""
        kinds = {"users": "#microsoft.graph.user", "servicePrincipals": "#microsoft.graph.servicePrincipal"}
        found = [
            {"@odata.type": name, **entry}
            for id in body_of(request).get("ids", [])
            for kind, name in kinds.items()
            if (entry := self.store.get(kind, id))
        ]
        return listed(found)


class Graph:
    """The routes under ``/v1.0``, and the one of ``/beta`` that is asked for."""

    def __init__(self, azure: AzureState, entra: Entra) -> None:
        self._azure, self._entra = azure, entra

    def routes(self) -> list[Route]:
        return [
            *self._of(Others, ("GET", "/organization", Others.size), version="/beta"),
            *self._of(
                Applications,
                ("GET", "/applications", Applications.every),
                ("POST", "/applications", Applications.create),
                ("PATCH", "/applications(uniqueName='{name}')", Applications.upsert),
                ("GET", "/applications(uniqueName='{name}')", Applications.get),
                ("GET", "/applications(appId='{app_id}')", Applications.get),
                ("GET", "/applications/{id}", Applications.get),
                ("PATCH", "/applications/{id}", Applications.patch),
                ("DELETE", "/applications/{id}", Applications.delete),
                ("POST", "/applications/{id}/addPassword", Applications.add_password),
                ("POST", "/applications/{id}/removePassword", Applications.remove_password),
            ),
            *self._of(
                FederatedCredentials,
                ("GET", "/applications/{id}/federatedIdentityCredentials", FederatedCredentials.every),
                ("POST", "/applications/{id}/federatedIdentityCredentials", FederatedCredentials.create),
                ("PATCH", "/applications/{id}/federatedIdentityCredentials(name='{credential}')", FederatedCredentials.upsert),
                ("GET", "/applications/{id}/federatedIdentityCredentials/{credential}", FederatedCredentials.get),
                ("PATCH", "/applications/{id}/federatedIdentityCredentials/{credential}", FederatedCredentials.patch),
                ("DELETE", "/applications/{id}/federatedIdentityCredentials/{credential}", FederatedCredentials.delete),
            ),
            *self._of(
                Principals,
                ("GET", "/servicePrincipals", Principals.every),
                ("POST", "/servicePrincipals", Principals.create),
                ("GET", "/servicePrincipals(appId='{app_id}')", Principals.get),
                ("GET", "/servicePrincipals/{id}", Principals.get),
                ("PATCH", "/servicePrincipals/{id}", Principals.patch),
                ("DELETE", "/servicePrincipals/{id}", Principals.delete),
                ("GET", "/servicePrincipals/{id}/appRoleAssignedTo", Principals.assignments),
                ("POST", "/servicePrincipals/{id}/appRoleAssignedTo", Principals.assign),
                ("DELETE", "/servicePrincipals/{id}/appRoleAssignedTo/{assignment}", Principals.unassign),
            ),
            *self._of(
                Deleted,
                ("GET", "/directory/deletedItems/microsoft.graph.application", Deleted.applications),
                ("GET", "/directory/deletedItems/microsoft.graph.servicePrincipal", Deleted.principals),
                ("POST", "/directory/deletedItems/{id}/restore", Deleted.restore),
                ("DELETE", "/directory/deletedItems/{id}", Deleted.purge),
            ),
            *self._of(Others, ("POST", "/directoryObjects/getByIds", Others.by_ids)),
            *self._of(
                People,
                ("GET", "/me", People.me),
                ("GET", "/me/memberOf", People.my_memberships),
                ("GET", "/users/{id}", People.person),
                ("POST", "/me/getMemberObjects", People.my_groups),
                ("POST", "/users/{id}/getMemberObjects", People.groups_of),
                ("GET", "/groups", People.groups),
                ("GET", "/groups/{id}", People.group),
            ),
            Route("/oidc/userinfo", self._guarded(People, People.userinfo, "GET"), methods=["GET", "POST"]),
        ]

    def _of(self, kind: type[Kind], *handlers: tuple[str, str, Callable[[Kind, Request], Response]], version: str = "/v1.0") -> list[Route]:
        return [Route(version + path, self._guarded(kind, handler, method), methods=[method]) for method, path, handler in handlers]

    def _guarded(self, kind: type[Kind], handler: Callable[[Kind, Request], Response], method: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            await request.body()
            if wait := self._azure.throttle.refuses("graph"):
                raise Fault(429, "TooManyRequests", "Too many requests", retry_after(wait))
            try:
                claims = self._entra.read(request.headers.get("authorization", "").partition(" ")[2], "https://graph.microsoft.com")
            except jwt.PyJWTError:
                raise Fault(401, "InvalidAuthenticationToken", "Access token validation failure.") from None
            held = _permissions(claims)
            if not held & _needed(method, request.url.path):
                raise denied()
            asked = kind(self._azure, self._azure.directory(str(claims["tid"])), str(claims.get("oid")), held, str(claims.get("appid")))
            with self._azure.store.exclusively():
                return handler(asked, request)

        return answer


def _needed(method: str, path: str) -> frozenset[str]:
    """Any one of these permissions is enough for a request."""
    if path.startswith("/oidc/"):
        return frozenset({"openid"})
    if path.startswith("/v1.0/me"):
        return _READ | {"User.Read"}
    if method == "GET" and path.startswith("/v1.0/users"):
        return _PEOPLE
    if path.startswith(("/v1.0/users", "/v1.0/groups")):
        return _DIRECTORY
    if method == "GET" or path.endswith("/getByIds"):
        return _READ | _READ_ORGANIZATION if path == "/beta/organization" else _READ
    return _ASSIGN if "appRoleAssignedTo" in path else _WRITE


def _permissions(claims: dict[str, Any]) -> frozenset[str]:
    """What a token allows: an application's own permissions; for a person, the client's and the directory roles together."""
    if claims.get("idtyp") != "user":
        return frozenset(claims.get("roles", []))
    delegated = set(str(claims.get("scp", "")).split())
    if "Directory.AccessAsUser.All" not in delegated and EVERYTHING not in delegated:
        return _SIGNED_IN & delegated
    if _ADMINISTRATORS & set(claims.get("wids", [])):
        return frozenset({EVERYTHING, "Directory.Read.All"} | (_ASSIGN & delegated))
    # By default everybody in a tenant may read it and register applications.
    return frozenset({"Application.Read.All", "Application.ReadWrite.OwnedBy", "Directory.Read.All"})
