"""The admission webhook that refuses a change because nothing serves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_HOOK = re.compile(r'failed calling webhook "([^"]+)"')


def removal(list_objects: Callable[[str, str], list[dict[str, Any]]], message: str) -> str:
    """The command that deletes the configuration of the webhook that a refusal names; empty when it names none that exists."""
    hook = _HOOK.search(message)
    if not hook:
        return ""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for one in list_objects("admissionregistration.k8s.io/v1", kind):
            if any(entry["name"] == hook[1] for entry in one.get("webhooks") or ()):
                return f"kubectl delete {kind.lower()} {one['metadata']['name']}"
    return ""
