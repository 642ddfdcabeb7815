"""Graph's people and groups: who is signed in, and which groups somebody is in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.entra_directory import Asked, Body, fault, filtered, listed, not_found, public
from genai_platform.sandbox.azure.entra_person_tokens import pairwise


class People(Asked):
    """``/me``, ``/users``, ``/groups`` and OpenID Connect's userinfo."""

    def me(self, request: Request) -> Response:
        found = self.store.get("users", self.caller)
        return JSONResponse(public(found)) if found else _nobody()

    def person(self, request: Request) -> Response:
        """By object id or by user principal name."""
        name = request.path_params["id"]
        found = self.store.get("users", name) or self.store.find("users", "userPrincipalName", name)
        return JSONResponse(public(found)) if found else not_found(request)

    def my_memberships(self, request: Request) -> Response:
        """With ``User.Read`` alone: of each group its type and identifier."""
        found = self.store.get("users", self.caller)
        if found is None:
            return _nobody()
        return listed([{"@odata.type": "#microsoft.graph.group", "id": id} for id in found.get("groups", [])])

    def my_groups(self, request: Request) -> Response:
        found = self.store.get("users", self.caller)
        return _ids(found) if found else _nobody()

    def groups_of(self, request: Request) -> Response:
        found = self.store.get("users", request.path_params["id"])
        return _ids(found) if found else not_found(request)

    def groups(self, request: Request) -> Response:
        return listed(filtered(self.store.all("groups"), request))

    def group(self, request: Request) -> Response:
        found = self.store.get("groups", request.path_params["id"])
        return JSONResponse(public(found)) if found else not_found(request)

    def userinfo(self, request: Request) -> Response:
        """The standard claims (Microsoft identity platform, UserInfo endpoint); ``sub`` is that of the ID token."""
        found = self.store.get("users", self.caller)
        if found is None:
            return _nobody()
        claims = {"sub": pairwise(found["id"], self.client), "name": found["displayName"], "email": found.get("mail")}
        return JSONResponse({name: value for name, value in claims.items() if value})


def _ids(person: Body) -> Response:
    return JSONResponse({"value": person.get("groups", [])})


def _nobody() -> Response:
    return fault(400, "BadRequest", "/me request is only valid with delegated authentication.")
