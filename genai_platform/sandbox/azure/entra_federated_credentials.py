"""Graph's federated identity credentials of an application: which issuer's tokens it may sign in with.

The token endpoint hears of each change later than Graph shows it ("Important considerations and restrictions for federated
identity credentials", read November 2026), also of a removal.
"""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.entra_directory import Asked, Body, Fault, body_of, listed, not_found, public
from genai_platform.sandbox.azure.tenancy import Directory
from genai_platform.sandbox.pace import FEDERATED_CREDENTIAL_KNOWN

KIND = "federatedCredentials"
LIMIT = 20
"""Most credentials of one application (same page)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_LONGEST = 600
_FIELDS = ("issuer", "subject", "audiences", "description")


class FederatedCredentials(Asked):
    """``/applications/{id}/federatedIdentityCredentials``; one is named by its id or its name."""

    def every(self, request: Request) -> Response:
        return listed(self._of(self.find("applications", request)))

    def get(self, request: Request) -> Response:
        return JSONResponse(public(self._named(self.find("applications", request), request)))

    def create(self, request: Request) -> Response:
        return self._new(self.own("applications", request), body_of(request))

    def upsert(self, request: Request) -> Response:
        """By name, with ``Prefer: create-if-missing``."""
        application, name = self.own("applications", request), request.path_params["credential"]
        missing = all(name not in (one["id"], one["name"]) for one in self._of(application))
        if missing and request.headers.get("prefer") == "create-if-missing":
            return self._new(application, {**body_of(request), "name": name})
        return self.patch(request)

    def patch(self, request: Request) -> Response:
        application = self.own("applications", request)
        return self._change(application, self._named(application, request), body_of(request))

    def delete(self, request: Request) -> Response:
        application = self.own("applications", request)
        found = self._named(application, request)
        self._keep(application, {**found, "_deleted": True}, before=found)
        return Response(status_code=204)

    # -- inside -----------------------------------------------------------------------------------
    def _of(self, application: Body) -> list[Body]:
        return [entry for entry in self.store.all(KIND, application["id"] + "/") if not entry.get("_deleted")]

    def _named(self, application: Body, request: Request) -> Body:
        for one in self._of(application):
            if request.path_params["credential"] in (one["id"], one["name"]):
                return one
        raise not_found(request)

    def _new(self, application: Body, body: Body) -> Response:
        held, name = self._of(application), str(body.get("name", ""))
        if not _NAME.fullmatch(name):
            raise _invalid(f"Federated Identity Credential name '{name}' is not valid. paramName: FederatedIdentityCredential.Name")
        if any(one["name"] == name for one in held):
            text = f"FederatedIdentityCredential with name {name} already exists."
            raise Fault(409, "Request_MultipleObjectsWithSameKeyValue", text)
        if len(held) >= LIMIT:
            raise Fault(400, "Request_BadRequest", f"The number of federated identity credentials exceeds the maximum of {LIMIT}.")
        _check(body, held)
        made = {"id": str(uuid4()), "name": name, "description": None, **{key: body[key] for key in _FIELDS if key in body}}
        self._keep(application, made, before=None)
        return JSONResponse(public(made), 201)

    def _change(self, application: Body, found: Body, body: Body) -> Response:
        if body.get("name", found["name"]) != found["name"]:
            raise _invalid("Federated Identity Credential name cannot be changed. paramName: FederatedIdentityCredential.Name")
        changed = {**found, **{key: body[key] for key in _FIELDS if key in body}}
        _check(changed, [one for one in self._of(application) if one["id"] != found["id"]])
        self._keep(application, changed, before=found)
        return Response(status_code=204)

    def _keep(self, application: Body, entry: Body, before: Body | None) -> None:
        effective = _effective(before) if before else None
        known = self.azure.after(FEDERATED_CREDENTIAL_KNOWN)
        self.store.put(KIND, f"{application['id']}/{entry['id']}", {**entry, "_before": effective, "_known": known})


def effective(directory: Directory, application: str) -> list[dict[str, Any]]:
    """The credentials of an application, by its object id, as the token endpoint knows them now."""
    found = (_effective(entry) for entry in directory.all(KIND, application + "/"))
    return [entry for entry in found if entry]


def _effective(entry: Body) -> Body | None:
    if time.time() < entry.get("_known", 0):
        before: Body | None = entry.get("_before")
        return before
    return None if entry.get("_deleted") else public(entry)


def _check(body: Body, others: list[Body]) -> None:
    issuer, subject, audiences = str(body.get("issuer", "")), str(body.get("subject", "")), body.get("audiences") or []
    if not issuer.startswith("https://") or len(issuer) > _LONGEST:
        raise _invalid(f"Issuer '{issuer}' is not a valid https URL. paramName: FederatedIdentityCredential.Issuer")
    if not 0 < len(subject) <= _LONGEST:
        raise _invalid("Subject must have 1 to 600 characters. paramName: FederatedIdentityCredential.Subject")
    if len(audiences) != 1 or len(str(audiences[0])) > _LONGEST:
        raise _invalid("Exactly one audience must be given. paramName: FederatedIdentityCredential.Audiences")
    if any((one["issuer"], one["subject"]) == (issuer, subject) for one in others):
        text = "The combination of issuer and subject must be unique for the application."
        raise _invalid(f"{text} Issuer {issuer} and Subject: {subject} already exist. paramName: FederatedIdentityCredential.Subject")


def _invalid(text: str) -> Fault:
    return Fault(400, "InvalidFederatedIdentityCredentialValue", text)
