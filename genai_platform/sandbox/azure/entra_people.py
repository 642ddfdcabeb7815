"""Graph's people and groups: who is signed in, and which groups somebody is in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.entra_directory import Asked, Body, Fault, filtered, listed, not_found, public
from genai_platform.sandbox.azure.entra_person_tokens import pairwise


class People(Asked):
    """``/me``, ``/users``, ``/groups`` and OpenID Connect's userinfo."""

    def me(self, request: Request) -> Response:
        return JSONResponse(public(self._signed_in()))

    def person(self, request: Request) -> Response:
        """By object id or by user principal name."""
        name = request.path_params["id"]
        found = self.store.get("users", name) or self.store.find("users", "userPrincipalName", name)
        if found is None:
            raise not_found(request)
        return JSONResponse(public(found))

    def my_memberships(self, request: Request) -> Response:
        """With ``User.Read`` alone: of each group its type and identifier."""
        return listed([{"@odata.type": "#microsoft.graph.group", "id": id} for id in self._signed_in().get("groups", [])])

    def my_groups(self, request: Request) -> Response:
        return JSONResponse({"value": self._signed_in().get("groups", [])})

    def groups_of(self, request: Request) -> Response:
        return JSONResponse({"value": self.find("users", request).get("groups", [])})

    def groups(self, request: Request) -> Response:
        return listed(filtered(self.store.all("groups"), request))

    def group(self, request: Request) -> Response:
        return JSONResponse(public(self.find("groups", request)))

    def userinfo(self, request: Request) -> Response:
        """The standard claims (Microsoft identity platform, UserInfo endpoint); ``sub`` is that of the ID token."""
        found = self._signed_in()
        claims = {"sub": pairwise(found["id"], self.client), "name": found["displayName"], "email": found.get("mail")}
        return JSONResponse({name: value for name, value in claims.items() if value})

    def _signed_in(self) -> Body:
        if (found := self.store.get("users", self.caller)) is None:
            raise Fault(400, "BadRequest", "/me request is only valid with delegated authentication.")
        return found
