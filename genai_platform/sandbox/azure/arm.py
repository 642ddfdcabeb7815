"""Azure Resource Manager: who may call, where a resource lies, long-running operations, and what every resource shares.

What is special about a type lives in a file of its own (``arm_vaults``, ``arm_apim``, ``arm_roles``); everything else is
stored and returned as it was put. Types that no file registers are refused.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure import arm_metadata, tenancy
from genai_platform.sandbox.azure.arm_admission import Refusal, admitted, throttled
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.roles import ACCESS_ADMINISTRATOR, CONTRIBUTOR, NAMES, OWNER, Roles
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.throttle import Throttle
from genai_platform.sandbox.pace import RESOURCE_GROUP_DELETED, Duration

Body = dict[str, Any]
_KEPT = {"Microsoft.CognitiveServices/accounts": "deletedAccounts"}
"""Types of which a removed resource can be restored or purged, also after its group was removed, and where it is remembered."""
_WHOLE_SUBSCRIPTION = re.compile(r"(?i)/subscriptions/[^/]+(/resources|/providers/microsoft\.apimanagement/service)?")


@dataclass(frozen=True)
class Call:
    """One request to ARM. ``id`` is the resource's path; ``body`` what was sent."""

    method: str
    id: str
    body: Body
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base: str
    """``https://host:port`` that the client used."""
    caller: str = ""
    """Object id of who calls."""

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def subscription(self) -> str:
        """The subscription in the path; empty for a path that names none."""
        words = self.id.split("/")
        return words[2] if len(words) > 2 else ""


@dataclass
class Arm:
    """The routes and the helpers that resource types use."""

    azure: AzureState
    entra: Entra
    roles: Roles
    types: dict[str, Callable[[Arm, Call], Response]] = field(default_factory=dict)
    """Pattern of a resource path (case-insensitive, whole) to its handler."""
    throttle: Throttle = field(default_factory=Throttle)

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
        try:
            if wait := self.throttle.refuses("arm"):
                raise throttled(wait)
            if operation := re.fullmatch(r"(?i)/subscriptions/[^/]+/operations/([0-9a-f]+)", path):
                return self._operation(operation[1])
            call = replace(call, caller=self._authorise(call, request.headers.get("authorization", "")))
            if "api-version" not in request.query_params:
                raise Refusal(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
            for pattern, handler in self.types.items():
                if re.fullmatch(pattern, path, re.IGNORECASE):
                    with self.azure.store.exclusively():
                        return handler(self, admitted(self, call))
            raise Refusal(404, "InvalidResourceType", f"The resource type could not be found for '{path}'.")
        except Refusal as refusal:
            return JSONResponse(refusal.document(), refusal.status, refusal.headers)

    def _authorise(self, call: Call, authorization: str) -> str:
        try:
            claims = self.entra.read(authorization.partition(" ")[2], "https://management.azure.com")
        except jwt.PyJWTError:
            raise Refusal(401, "InvalidAuthenticationToken", "The access token is invalid.") from None
        subscription = re.match(r"(?i)/subscriptions/([^/]+)", call.id)
        if subscription and self.azure.store.get("subscriptions", subscription[1]) is None:
            raise Refusal(404, "SubscriptionNotFound", f"The subscription '{subscription[1]}' could not be found.")
        if subscription and tenancy.tenant_of(self.azure.store, subscription[1]) != claims["tid"]:
            text = "The access token is from the wrong issuer. It must match the tenant associated with this subscription."
            raise Refusal(401, "InvalidAuthenticationTokenTenant", text)
        writes_roles = "microsoft.authorization/roleassignments" in call.id.lower() and call.method in ("PUT", "DELETE")
        needed = {OWNER, ACCESS_ADMINISTRATOR} if writes_roles else {OWNER, CONTRIBUTOR}
        if call.id.lower().endswith("/providers/microsoft.authorization/permissions"):
            needed = set(NAMES.values())  # anyone with a role at a scope may ask what it allows there
        if call.method == "GET" and _WHOLE_SUBSCRIPTION.fullmatch(call.id) and self.roles.holds_inside(str(claims["oid"]), call.id):
            return str(claims["oid"])  # anyone with a role anywhere inside sees the subscription, and of its lists what is theirs
        if subscription and not self.roles.holds(str(claims["oid"]), call.id, needed):
            text = f"The client '{claims['oid']}' does not have authorization to perform the action over scope '{call.id}'."
            raise Refusal(403, "AuthorizationFailed", text)
        return str(claims["oid"])

    # -- what resource types use ------------------------------------------------------------------
    def get(self, call: Call) -> Response:
        found = self.azure.store.get("arm", call.id)
        if found is None:
            raise not_found(call)
        return JSONResponse(visible(found), headers={"ETag": f'"{found["_etag"]}"'})

    def put(self, call: Call, body: Body, kind: str) -> Body:
        """Store a resource; the answer is what a client sees."""
        created = (self.azure.store.get("arm", call.id) or {}).get("_created", time.time())
        stored = {**body, "id": call.id, "name": call.name, "type": kind, "_etag": uuid4().hex, "_created": created}
        self.azure.store.put("arm", call.id, stored)
        return visible(stored)

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
        return self.roles.holds(call.caller, id, {OWNER, CONTRIBUTOR})

    def exists(self, id: str) -> bool:
        return self.azure.store.get("arm", id) is not None

    def accepted(self, call: Call, duration: Duration, status: int = 202, body: Body | None = None) -> Response:
        """Begin a long-running operation that succeeds after ``duration``."""
        operation = uuid4().hex
        self.azure.store.put("operations", operation, {"until": self.azure.after(duration)})
        url = f"{call.base}/subscriptions/{call.subscription}/operations/{operation}?api-version={call.query['api-version']}"
        headers = {"Azure-AsyncOperation": url, "Location": url, "Retry-After": "1"}
        return JSONResponse(body, status, headers) if body is not None else Response(status_code=status, headers=headers)

    def _operation(self, operation: str) -> Response:
        known = self.azure.store.get("operations", operation)
        if known is None:
            raise Refusal(404, "NotFound", "The operation was not found.")
        done = time.time() >= known["until"]
        return JSONResponse({"id": operation, "status": "Succeeded" if done else "InProgress"}, 200 if done else 202, {"Retry-After": "1"})


def not_found(call: Call) -> Refusal:
    return Refusal(404, "ResourceNotFound", f"The resource '{call.id}' was not found.")


def visible(entry: Body) -> Body:
    return {name: value for name, value in entry.items() if not name.startswith("_")}


def subscriptions(arm: Arm, call: Call) -> Response:
    """The subscriptions in which the caller has a role, with their tenants."""
    every = tenancy.subscriptions(arm.azure.store)
    seen = [_subscription(entry) for entry in every if arm.roles.holds_inside(call.caller, f"/subscriptions/{entry['subscriptionId']}")]
    if not call.subscription:
        return JSONResponse({"value": seen})
    return JSONResponse(next(entry for entry in seen if entry["subscriptionId"] == call.subscription.lower()))


def _subscription(entry: Body) -> Body:
    return {"id": f"/subscriptions/{entry['subscriptionId']}", "state": "Enabled", **entry}


_LOCATIONS = {
    "eastus2": "East US 2", "japaneast": "Japan East", "japanwest": "Japan West", "swedencentral": "Sweden Central",
    "westeurope": "West Europe",
}  # fmt: skip


def locations(arm: Arm, call: Call) -> Response:
    """Some of Azure's regions, physical and logical ones (Subscriptions - List Locations)."""
    found = [(name, display, "Physical") for name, display in _LOCATIONS.items()] + [("europe", "Europe", "Logical")]
    base = f"/subscriptions/{call.subscription}/locations"
    return JSONResponse(
        {
            "value": [
                {"id": f"{base}/{name}", "name": name, "type": "Region", "displayName": display, "metadata": {"regionType": kind}}
                for name, display, kind in found
            ]
        }
    )


def resources(arm: Arm, call: Call) -> Response:
    """What lies in a resource group or, with a filter by one tag, in the subscription: then without tags, as documented."""
    group = call.id.rsplit("/", 1)[0]
    in_group = group.count("/") > 2
    if in_group and not arm.exists(group):
        raise not_found(call)
    found = [entry for entry in arm.azure.store.all("arm", group + "/") if entry["id"].count("/") == 8]
    wanted = call.query.get("$filter")
    by_tag = re.fullmatch(r"tagName eq '([^']+)' and tagValue eq '([^']+)'", wanted or "")
    if by_tag:
        found = [entry for entry in found if (entry.get("tags") or {}).get(by_tag[1]) == by_tag[2]]
    elif wanted:
        found = [entry for entry in found if _meets(entry, wanted)]
    found = [entry for entry in found if arm.may_read(call, entry["id"])]
    shown = ("id", "name", "type", "location", "sku", *(() if by_tag else ("tags",)))
    expanded = "createdtime" in call.query.get("$expand", "").lower()
    return JSONResponse(
        {"value": [{name: entry[name] for name in shown if name in entry} | (_times(entry) if expanded else {}) for entry in found]}
    )


def _times(entry: Body) -> Body:
    """What ``$expand=createdTime`` adds; nothing for what an older version of the sandbox stored."""
    at = entry.get("_created")
    return {} if at is None else {"createdTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}


def _meets(entry: Body, wanted: str) -> bool:
    """Whether a resource meets a filter of equalities (Resources - List). Tags can be combined with nothing else."""
    parts = {"resourcetype": entry["type"], "name": entry["name"], "resourcegroup": entry["id"].split("/")[4]}
    parts["location"] = str(entry.get("location"))
    for condition in re.split(r"\s+and\s+", wanted.strip("() ")):
        equal = re.fullmatch(r"(\w+) eq '([^']*)'", condition)
        if equal is None or equal[1].lower() not in parts:
            raise Refusal(400, "InvalidFilterInQueryString", f"Invalid $filter '{wanted}' specified in the query string.")
        if parts[equal[1].lower()].lower() != equal[2].lower():
            return False
    return True


def resource_groups(arm: Arm, call: Call) -> Response:
    """Resource groups; deleting one removes what is in it, and takes its time."""
    for entry in arm.azure.store.all("arm", call.id) if call.subscription else ():
        if time.time() >= entry.get("_gone", math.inf):
            arm.remove(entry["id"])
    if call.id.lower().endswith("/resourcegroups"):
        return arm.listed(call)
    if call.method in ("GET", "HEAD"):
        return arm.get(call)
    if call.method == "PUT":
        known = arm.exists(call.id)
        if "_gone" in (arm.azure.store.get("arm", call.id) or {}):
            raise Refusal(409, "ResourceGroupBeingDeleted", f"The resource group '{call.name}' is in deprovisioning state.")
        body = arm.put(call, {**call.body, "properties": {"provisioningState": "Succeeded"}}, "Microsoft.Resources/resourceGroups")
        return JSONResponse(body, 200 if known else 201)
    if not arm.exists(call.id):
        raise not_found(call)
    held = arm.azure.store.get("arm", call.id) or {}
    if "_gone" not in held:
        gone = arm.azure.after(RESOURCE_GROUP_DELETED)
        arm.azure.store.put("arm", call.id, {**held, "properties": {"provisioningState": "Deleting"}, "_gone": gone})
    return arm.accepted(call, RESOURCE_GROUP_DELETED)
