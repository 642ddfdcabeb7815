"""The batch API's events, as entities."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from genai_platform.sandbox.langfuse.entities import Entity, now

_OBSERVATIONS = {
    "span-create": "SPAN", "span-update": "SPAN", "event-create": "EVENT",
    "generation-create": "GENERATION", "generation-update": "GENERATION",
    **{f"{kind}-create": kind.upper() for kind in ("agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail")},
}  # fmt: skip
_OLDER = {
    "input": ("input", "promptTokens", "prompt_tokens"), "output": ("output", "completionTokens", "completion_tokens"),
    "total": ("total", "totalTokens", "total_tokens"),
}  # fmt: skip
KNOWN = {"trace-create", "score-create", "sdk-log", "observation-create", "observation-update", *_OBSERVATIONS}


class Invalid(Exception):
    """An event is not valid for the API."""


def check(event: object) -> tuple[str, str]:
    """Its identifier and type. Raises ``Invalid``."""
    if not isinstance(event, Mapping):
        raise Invalid("an event must be an object")
    id, kind = event.get("id"), event.get("type")
    if not isinstance(id, str) or not id:
        raise Invalid("id: required")
    if kind not in KNOWN:
        raise Invalid(f"type: '{kind}' is not known")
    if not isinstance(event.get("body"), Mapping):
        raise Invalid("body: required")
    return id, str(kind)


def entity(event: Mapping[str, Any]) -> list[Entity]:
    """What one event says. ``sdk-log`` says nothing."""
    kind, body = event["type"], dict(event["body"])
    id = str(body.pop("id", None) or uuid.uuid4())
    said = event.get("timestamp") or now()
    if kind == "trace-create":
        return [Entity("trace", id, {"timestamp": said, **body})]
    if kind == "score-create":
        form = "NUMERIC" if isinstance(body.get("value"), (int, float)) else "CATEGORICAL"
        return [Entity("score", id, {"timestamp": said, "source": "API", "dataType": form, **body})]
    if kind == "sdk-log":
        return []
    body["type"] = _OBSERVATIONS.get(kind) or str(body.get("type") or "SPAN").upper()
    if not kind.endswith("-update"):
        body.setdefault("startTime", said)
    trace = str(body.get("traceId") or "")
    if usage := _usage(body):
        body["usageDetails"] = usage
    found = [Entity("observation", id, body)]
    if not trace:  # Langfuse makes a trace of its own for an observation that has none.
        body["traceId"] = trace = id
        found.append(Entity("trace", id, {"timestamp": body.get("startTime") or said, "name": body.get("name")}))
    return found


def _usage(body: dict[str, Any]) -> dict[str, int]:
    """Tokens, from the newer ``usageDetails`` or the older ``usage`` in either of its two spellings."""
    details, usage = body.get("usageDetails"), body.pop("usage", None)
    if isinstance(details, Mapping):
        return counted(details)
    if not isinstance(usage, Mapping):
        return {}
    return counted({kind: next((usage[name] for name in names if name in usage), None) for kind, names in _OLDER.items()})


def counted(said: Mapping[Any, Any]) -> dict[str, int]:
    """Tokens by kind, whatever they were called, with a total: the sum when nobody said it."""
    renamed: Mapping[str, str] = {"prompt_tokens": "input", "completion_tokens": "output", "total_tokens": "total"}
    usage = {renamed.get(str(key), str(key)): int(value) for key, value in said.items() if isinstance(value, (int, float))}
    if usage and "total" not in usage:
        usage["total"] = sum(usage.values())
    return usage
