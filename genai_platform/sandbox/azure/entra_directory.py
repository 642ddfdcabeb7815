"""What every part of the Graph stand-in shares: who asks, what they may change, how it answers."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.tenancy import Directory
from genai_platform.sandbox.pace import DIRECTORY_OBJECT_SHOWN

Body = dict[str, Any]
_HIDDEN = ("secrets", "createdAt", "graphPermissions", "owners", "tenant", "password", "wids", "groups")
EVERYTHING = "Application.ReadWrite.All"


@dataclass(frozen=True)
class Asked:
    """One request to one tenant's directory. Subclasses have the handlers."""

    azure: AzureState
    store: Directory
    caller: str
    """Object id of who asks."""
    permissions: frozenset[str]
    client: str = ""
    """Application id of the program that asks."""

    def find(self, kind: str, request: Request) -> Body:
        """The object that the path names. Raises ``Fault``, also for one that is not shown yet."""
        wanted = request.path_params
        if "id" in wanted:
            found = self.store.get(kind, wanted["id"])
        elif "app_id" in wanted:
            found = self.store.find(kind, "appId", wanted["app_id"])
        else:
            found = self.store.find(kind, "uniqueName", wanted["name"])
        if found is None or self.fresh(found):
            raise not_found(request)
        return found

    def own(self, kind: str, request: Request) -> Body:
        """The object that the path names, for the caller to change. Raises ``Fault``."""
        found = self.find(kind, request)
        self.require_own(found)
        return found

    def fresh(self, found: Body) -> bool:
        """Whether an object was made so short a time ago that it is not known everywhere."""
        return time.time() < float(found["createdAt"]) + self.azure.layout.pace.of(DIRECTORY_OBJECT_SHOWN)

    def require_own(self, found: Body) -> None:
        """Raises ``Fault`` unless the caller may change an object: its own ones, or any with the wider permission.

        Unrecorded owners do not count.
        """
        if EVERYTHING not in self.permissions and self.caller not in found.get("owners", [self.caller]):
            raise denied()


class Collection(Asked):
    """All objects of one kind."""

    kind: ClassVar[str]

    def every(self, request: Request) -> Response:
        return listed(filtered(self.store.all(self.kind), request))

    def get(self, request: Request) -> Response:
        return JSONResponse(public(self.find(self.kind, request)))


class Fault(Exception):
    """An error as Graph words it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers

    def answer(self) -> JSONResponse:
        error = {"code": self.code, "message": str(self), "innerError": {"request-id": str(uuid4())}}
        return JSONResponse({"error": error}, self.status, self.headers)


def listed(entries: list[Body]) -> Response:
    return JSONResponse({"value": [public(entry) for entry in entries]})


def filtered(entries: list[Body], request: Request) -> list[Body]:
    """The entries that ``$filter`` asks for. Raises ``ValueError`` for one that is not understood."""
    wanted = request.query_params.get("$filter")
    if wanted is None:
        return entries
    if found := re.fullmatch(r"\s*startswith\((\w+),\s*'([^']*)'\)\s*", wanted):
        return [entry for entry in entries if str(entry.get(found[1], "")).startswith(found[2])]
    if found := re.fullmatch(r"\s*(\w+) eq '([^']*)'\s*", wanted):
        return [entry for entry in entries if str(entry.get(found[1], "")).lower() == found[2].lower()]
    if found := re.fullmatch(r"\s*(\w+)/any\((\w):\s*\2 eq '([^']*)'\)\s*", wanted):
        return [entry for entry in entries if found[3] in _many(entry, found[1])]
    raise ValueError(f"unsupported $filter: {wanted}")


def _many(entry: Body, name: str) -> list[str]:
    # A service principal is known by its application's identifier and by the addresses of its API.
    return [str(entry.get("appId")), *entry.get(name, [])] if name == "servicePrincipalNames" else list(entry.get(name, []))


def public(entry: Body) -> Body:
    """What a client sees of an object."""
    return {name: value for name, value in entry.items() if name not in _HIDDEN and not name.startswith("_")}


def denied() -> Fault:
    return Fault(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def not_found(request: Request) -> Fault:
    named = next(iter(request.path_params.values()), "")
    return Fault(404, "Request_ResourceNotFound", f"Resource '{named}' does not exist or one of its queried references is not present.")


def body_of(request: Request) -> Body:
    raw: bytes = getattr(request, "_body", b"")
    body: Body = json.loads(raw or b"{}")
    return body


def stamp() -> str:
    """Now, as Graph writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
