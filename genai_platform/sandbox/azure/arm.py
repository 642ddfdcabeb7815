"""Azure Resource Manager: who may call, where a resource lies, long-running operations, and what every resource shares.

What is special about a type lives in a file of its own (``arm_vaults``, ``arm_apim``, ``arm_roles``); everything else is
stored and returned as it was put. Types that no file registers are refused.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure import arm_metadata, tenancy
from genai_platform.sandbox.azure.arm_admission import admitted, throttled
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, not_found
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.roles import ACCESS_ADMINISTRATOR, CONTRIBUTOR, NAMES, OWNER, holds, holds_inside
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.throttle import retry_after
from genai_platform.sandbox.pace import OPERATION_ASKED, Duration

_KEPT = {"Microsoft.CognitiveServices/accounts": "deletedAccounts"}
"""Types of which a removed resource can be restored or purged, also after its group was removed, and where it is remembered."""
_WHOLE_SUBSCRIPTION = re.compile(r"(?i)/subscriptions/[^/]+(/resources|/providers/microsoft\.apimanagement/service)?")


@dataclass
class Arm:
    """The routes and the helpers that resource types use."""

    azure: AzureState
    entra: Entra
    types: Mapping[str, Callable[[Arm, Call], Response]]
    """Pattern of a resource path (case-insensitive, whole) to its handler."""

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self._answer, methods=["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"])]

    async def _answer(self, request: Request) -> Response:
        raw = await request.body()
        path = "/" + request.path_params["path"].strip("/")
        if path == arm_metadata.PATH:
            return arm_metadata.metadata(self.azure, request)
        call = Call(
            request.method, path, json.loads(raw) if raw else {}, request.query_params, request.headers, f"https://{request.url.netloc}"
        )
        if wait := self.azure.throttle.refuses("arm"):
            raise throttled(wait)
        if operation := re.fullmatch(r"(?i)/subscriptions/[^/]+/operations/([0-9a-f]+)", path):
            return self._operation(operation[1])
        call = replace(call, caller=self._authorise(call, request.headers.get("authorization", "")))
        if "api-version" not in request.query_params:
            raise Refusal(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
        for pattern, handler in self.types.items():
            if re.fullmatch(pattern, path, re.IGNORECASE):
                with self.azure.store.exclusively():
                    return handler(self, admitted(self.azure.store, call))
        raise Refusal(404, "InvalidResourceType", f"The resource type could not be found for '{path}'.")

    def _authorise(self, call: Call, authorization: str) -> str:
        try:
            claims = self.entra.read(authorization.partition(" ")[2], "https://management.azure.com")
        except jwt.PyJWTError:
            raise Refusal(401, "InvalidAuthenticationToken", "The access token is invalid.") from None
        caller, subscription = str(claims["oid"]), re.match(r"(?i)/subscriptions/([^/]+)", call.id)
        if subscription and self.azure.store.get("subscriptions", subscription[1]) is None:
            raise Refusal(404, "SubscriptionNotFound", f"The subscription '{subscription[1]}' could not be found.")
        if subscription and tenancy.tenant_of(self.azure.store, subscription[1]) != claims["tid"]:
            text = "The access token is from the wrong issuer. It must match the tenant associated with this subscription."
            raise Refusal(401, "InvalidAuthenticationTokenTenant", text)
        writes_roles = "microsoft.authorization/roleassignments" in call.id.lower() and call.method in ("PUT", "DELETE")
        needed = {OWNER, ACCESS_ADMINISTRATOR} if writes_roles else {OWNER, CONTRIBUTOR}
        if call.id.lower().endswith("/providers/microsoft.authorization/permissions"):
            needed = set(NAMES.values())  # anyone with a role at a scope may ask what it allows there
        if call.method == "GET" and _WHOLE_SUBSCRIPTION.fullmatch(call.id) and holds_inside(self.azure.store, caller, call.id):
            return caller  # anyone with a role anywhere inside sees the subscription, and of its lists what is theirs
        if subscription and not holds(self.azure.store, caller, call.id, needed):
            text = f"The client '{caller}' does not have authorization to perform the action over scope '{call.id}'."
            raise Refusal(403, "AuthorizationFailed", text)
        return caller

    # -- what resource types use ------------------------------------------------------------------
    def found(self, call: Call, id: str = "") -> Body:
        """A resource, by default the one that the path names. Raises ``Refusal``."""
        if (found := self.azure.store.get("arm", id or call.id)) is None:
            raise not_found(call)
        return found

    def get(self, call: Call) -> Response:
        found = self.found(call)
        return JSONResponse(visible(found), headers=etag(found))

    def put(self, call: Call, body: Body, kind: str) -> Body:
        """Store a resource, and return what was stored."""
        created = (self.azure.store.get("arm", call.id) or {}).get("_created", time.time())
        stored = {**body, "id": call.id, "name": call.name, "type": kind, "_etag": uuid4().hex, "_created": created}
        self.azure.store.put("arm", call.id, stored)
        return stored

    def listed(self, call: Call) -> Response:
        """The children of a collection path."""
        depth = call.id.count("/") + 1
        found = [entry for entry in self.azure.store.all("arm", call.id + "/") if entry["id"].count("/") == depth]
        return JSONResponse({"value": [visible(entry) for entry in found], "count": len(found)})

    def remove(self, id: str) -> None:
        """Remove a resource and everything below it, role assignments included; of some types something is kept for a while."""
        store, below = self.azure.store, self.azure.store.all("arm", id + "/")
        held = store.get("arm", id)
        for entry in [*([held] if held else []), *below]:
            if kept := _KEPT.get(entry["type"]):
                inside = [one for one in below if one["id"].lower().startswith(entry["id"].lower() + "/")]
                store.put(kept, entry["id"], {"resource": entry, "below": inside, "at": time.time()})
            store.delete("arm", entry["id"])
        for assignment in store.all("roleAssignments", id + "/"):
            store.delete("roleAssignments", assignment["id"])

    def may_read(self, call: Call, id: str) -> bool:
        """Whether a list shows this resource to who calls."""
        return holds(self.azure.store, call.caller, id, {OWNER, CONTRIBUTOR})

    def exists(self, id: str) -> bool:
        return self.azure.store.get("arm", id) is not None

    def accepted(self, call: Call, duration: Duration, status: int = 202, body: Body | None = None) -> Response:
        """Begin a long-running operation that succeeds after ``duration``."""
        operation = uuid4().hex
        self.azure.store.put("operations", operation, {"until": self.azure.after(duration)})
        url = f"{call.base}/subscriptions/{call.subscription}/operations/{operation}?api-version={call.query['api-version']}"
        headers = {"Azure-AsyncOperation": url, "Location": url, **retry_after(self.azure.layout.pace.of(OPERATION_ASKED))}
        return JSONResponse(body, status, headers) if body is not None else Response(status_code=status, headers=headers)

    def _operation(self, operation: str) -> Response:
        known = self.azure.store.get("operations", operation)
        if known is None:
            raise Refusal(404, "NotFound", "The operation was not found.")
        done = time.time() >= known["until"]
        document = {"id": operation, "status": "Succeeded" if done else "InProgress"}
        return JSONResponse(document, 200 if done else 202, retry_after(self.azure.layout.pace.of(OPERATION_ASKED)))


def visible(entry: Body) -> Body:
    return {name: value for name, value in entry.items() if not name.startswith("_")}


def with_state(entry: Body, state: str) -> Body:
    """What a client sees of a resource in a provisioning state."""
    return {**visible(entry), "properties": {**entry["properties"], "provisioningState": state}}


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def etag(entry: Body) -> dict[str, str]:
    return {"ETag": f'"{entry["_etag"]}"'}
