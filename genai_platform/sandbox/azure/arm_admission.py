"""What Azure Resource Manager refuses before a resource provider is asked: too many requests, providers that are not registered,
and what Azure Policy denies.

Azure Policy is steered by the collection ``policyAssignments`` of the store: ``id``, ``name`` and ``displayName`` of the assignment,
``scope`` (the beginning of resource ids), ``type`` of the resource, ``effect`` (``deny`` or ``modify``), for ``deny`` optionally
``skus`` that are denied, for ``modify`` the ``properties`` that it sets.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from genai_platform.sandbox.azure import arm_providers
from genai_platform.sandbox.azure.arm_call import Call, Refusal
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.azure.throttle import retry_after

_RESOURCE = re.compile(r"(?i)/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?/providers/([^/]+)(?:/([^/]+)/[^/]+)?(/.*)?")


def throttled(wait: float) -> Refusal:
    """The answer to a request too many (Resource Manager, "Request limits and throttling")."""
    text = f"The request is being throttled as the limit has been reached. Please try again after '{wait:g}' seconds."
    return Refusal(429, "TooManyRequests", text, retry_after(wait))


def admitted(store: Store, call: Call) -> Call:
    """The request as the resource provider gets it, with what a policy of the effect ``modify`` sets in it.

    Raises:
        Refusal: its provider is not registered with the subscription, or a policy denies it.
    """
    named = _RESOURCE.fullmatch(call.id)
    if named is None or "/providers/microsoft.authorization/" in call.id.lower():
        return call
    namespace, kind, below = named[1], named[2], named[3]
    if kind is None and below in (None, "/register", "/unregister"):
        return call  # the provider itself
    if arm_providers.state(store, call.subscription, namespace) != "Registered":
        text = f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how to register."
        raise Refusal(409, "MissingSubscriptionRegistration", text)
    if call.method not in ("PUT", "PATCH") or below:
        return call
    return _judged(store, call, f"{namespace}/{kind}")


def _judged(store: Store, call: Call, type: str) -> Call:
    for policy in store.all("policyAssignments"):
        if policy["type"].lower() != type.lower() or not call.id.lower().startswith(policy["scope"].lower()):
            continue
        if policy["effect"] == "modify":
            properties = {**(call.body.get("properties") or {}), **policy["properties"]}
            call = replace(call, body={**call.body, "properties": properties})
        elif not policy.get("skus") or (call.body.get("sku") or {}).get("name") in policy["skus"]:
            raise _denied(call, policy)
    return call


def _denied(call: Call, policy: dict[str, Any]) -> Refusal:
    assignment = {"name": policy["displayName"], "id": policy["id"]}
    text = f"Resource '{call.name}' was disallowed by policy. Policy identifiers: '{json.dumps([{'policyAssignment': assignment}])}'."
    info = {
        "policyAssignmentName": policy["name"],
        "policyAssignmentDisplayName": policy["displayName"],
        "policyAssignmentId": policy["id"],
    }
    return Refusal(403, "RequestDisallowedByPolicy", text, additional=[{"type": "PolicyViolation", "info": info}])
