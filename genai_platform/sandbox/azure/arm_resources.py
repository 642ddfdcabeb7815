"""Microsoft.Resources: subscriptions, their regions and resource providers, resource groups and what lies in them."""

from __future__ import annotations

import math
import re
import time

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure import arm_providers
from genai_platform.sandbox.azure.arm import Arm, stamp, visible
from genai_platform.sandbox.azure.arm_call import Body, Call, Refusal, not_found, region
from genai_platform.sandbox.azure.roles import holds_inside
from genai_platform.sandbox.pace import PROVIDER_REGISTERED, RESOURCE_GROUP_DELETED


def subscriptions(arm: Arm, call: Call) -> Response:
    """The subscriptions in which the caller has a role, with their tenants."""
    store = arm.azure.store
    seen = [
        {"id": f"/subscriptions/{entry['subscriptionId']}", "state": "Enabled", **entry}
        for entry in store.all("subscriptions")
        if holds_inside(store, call.caller, f"/subscriptions/{entry['subscriptionId']}")
    ]
    if not call.subscription:
        return JSONResponse({"value": seen})
    return JSONResponse(next(entry for entry in seen if entry["subscriptionId"] == call.subscription.lower()))


_LOCATIONS = ("East US 2", "Japan East", "Japan West", "Sweden Central", "West Europe")


def locations(arm: Arm, call: Call) -> Response:
    """Some of Azure's regions, physical and logical ones (Subscriptions - List Locations)."""
    base, kinds = f"/subscriptions/{call.subscription}/locations", {**dict.fromkeys(_LOCATIONS, "Physical"), "Europe": "Logical"}
    found = [
        {"id": f"{base}/{region(name)}", "name": region(name), "type": "Region", "displayName": name, "metadata": {"regionType": kind}}
        for name, kind in kinds.items()
    ]
    return JSONResponse({"value": found})


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
    if "createdtime" in call.query.get("$expand", "").lower():
        found = [{**entry, "createdTime": stamp(entry["_created"])} if "_created" in entry else entry for entry in found]
    shown = ("id", "name", "type", "location", "sku", "createdTime", *(() if by_tag else ("tags",)))
    return JSONResponse({"value": [{name: entry[name] for name in shown if name in entry} for entry in found]})


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
        known = arm.azure.store.get("arm", call.id)
        if known and "_gone" in known:
            raise Refusal(409, "ResourceGroupBeingDeleted", f"The resource group '{call.name}' is in deprovisioning state.")
        stored = arm.put(call, {**call.body, "properties": {"provisioningState": "Succeeded"}}, "Microsoft.Resources/resourceGroups")
        return JSONResponse(visible(stored), 200 if known else 201)
    held = arm.found(call)
    if "_gone" not in held:
        gone = arm.azure.after(RESOURCE_GROUP_DELETED)
        arm.azure.store.put("arm", call.id, {**held, "properties": {"provisioningState": "Deleting"}, "_gone": gone})
    return arm.accepted(call, RESOURCE_GROUP_DELETED)


def providers(arm: Arm, call: Call) -> Response:
    """List, show, register and unregister."""
    words = call.id.split("/")
    if len(words) == 4:
        return JSONResponse({"value": [_provider(arm, call, name) for name in arm_providers.NAMESPACES]})
    name = next((name for name in arm_providers.NAMESPACES if name.lower() == words[4].lower()), None)
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{words[4]}' is invalid.")
    if call.method == "POST":
        until = arm.azure.after(PROVIDER_REGISTERED) if words[5].lower() == "register" else None
        if until is None or arm_providers.state(arm.azure.store, call.subscription, name) == "NotRegistered":
            arm_providers.register(arm.azure.store, call.subscription, name, until)
    return JSONResponse(_provider(arm, call, name))


def _provider(arm: Arm, call: Call, name: str) -> Body:
    return {
        "id": f"/subscriptions/{call.subscription}/providers/{name}",
        "namespace": name,
        "registrationState": arm_providers.state(arm.azure.store, call.subscription, name),
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": kind, "locations": ["Japan East"], "apiVersions": ["2024-05-01"]} for kind in arm_providers.NAMESPACES[name]
        ],
    }
