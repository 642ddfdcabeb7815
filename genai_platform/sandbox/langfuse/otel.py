"""OpenTelemetry spans, as entities: what Langfuse's own SDK sends, and what LiteLLM's callback sends."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from genai_platform.sandbox.langfuse.entities import Entity, iso
from genai_platform.sandbox.langfuse.ingestion import Invalid, counted

_TYPES = {"span", "generation", "event", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"}
# The first of these attributes that a span has gives the value.
_MODEL = ("langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "model")
_INPUT = ("langfuse.observation.input", "input.value", "gen_ai.prompt")
_OUTPUT = ("langfuse.observation.output", "output.value", "gen_ai.completion")
_SESSION = ("langfuse.session.id", "session.id", "gen_ai.conversation.id")
_USER = ("langfuse.user.id", "user.id")
_TOKENS = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "total": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
}


def decode(body: bytes, content_type: str, encoding: str) -> list[dict[str, Any]]:
    """An OTLP request, in protobuf or JSON, as plain spans that can be kept as JSON. Raises ``Invalid``."""
    request = ExportTraceServiceRequest()
    try:
        raw = gzip.decompress(body) if encoding == "gzip" else body
        if "json" in content_type:
            _parse_json(raw, request)
        elif "protobuf" in content_type:
            request.ParseFromString(raw)
        else:
            raise Invalid(f"content type '{content_type}' is not supported")
    except (DecodeError, json_format.ParseError, OSError, EOFError, ValueError) as error:
        raise Invalid(f"no OTLP request: {error}") from None
    return [
        _plain(span, _attributes(resource.resource.attributes), {"name": scope.scope.name, "version": scope.scope.version})
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _parse_json(raw: bytes, request: Any) -> None:
    """OTLP's JSON writes identifiers in hexadecimal, where protobuf's own JSON has base64."""
    document = json.loads(raw)
    for resource in document.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for holder in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if holder.get(key):
                            holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
    json_format.ParseDict(document, request, ignore_unknown_fields=True)


def _plain(span: Any, resource: dict[str, Any], scope: dict[str, str]) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex() or None,
        "name": span.name,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "failed": span.status.code == 2,
        "message": span.status.message or None,
        "events": [{"name": event.name, "attributes": _attributes(event.attributes)} for event in span.events],
        "resource": resource,
        "scope": scope,
    }


def _attributes(entries: Iterable[Any]) -> dict[str, Any]:
    return {entry.key: _value(entry.value) for entry in entries}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


# -- from spans to entities ----------------------------------------------------------------------------
def entities(span: Mapping[str, Any]) -> list[Entity]:
    """The observation a span is, and what it says about its trace."""
    said = span["attributes"]
    environment = _first(said, ("langfuse.environment", "deployment.environment")) or _first(
        span["resource"], ("langfuse.environment", "deployment.environment.name", "deployment.environment")
    )
    start, end = _time(span["start"]), _time(span["end"])
    root = span["parentSpanId"] is None or said.get("langfuse.internal.as_root") is True
    model = _first(said, _MODEL)
    usage = _usage(said)
    known = str(said.get("langfuse.observation.type") or "").lower()
    kind = known if known in _TYPES else "generation" if model or usage else "span"
    shared = {"sessionId": _first(said, _SESSION), "userId": _first(said, _USER), "environment": environment}
    observation = {
        **shared,
        "traceId": span["traceId"],
        "parentObservationId": said.get("langfuse.generation.parent_observation_id") or span["parentSpanId"],
        "type": kind.upper(),
        "name": said.get("langfuse.generation.name") or span["name"],
        "startTime": start,
        "endTime": end,
        "input": _parsed(_first(said, _INPUT)),
        "output": _parsed(_first(said, _OUTPUT)),
        "metadata": {
            **_nested(said, "langfuse.observation.metadata"),
            "attributes": {key: value for key, value in said.items() if not key.startswith("langfuse.")},
            "resourceAttributes": span["resource"],
            "scope": span["scope"],
        },
        "level": said.get("langfuse.observation.level") or ("ERROR" if span["failed"] else "DEFAULT"),
        "statusMessage": said.get("langfuse.observation.status_message") or span["message"],
        "version": said.get("langfuse.version"),
        "model": model,
        "modelParameters": _parsed(said.get("langfuse.observation.model.parameters")) or _parameters(said),
        "usageDetails": usage or None,
        "costDetails": _parsed(said.get("langfuse.observation.cost_details")),
        "completionStartTime": _parsed(said.get("langfuse.observation.completion_start_time")),
        "promptName": said.get("langfuse.observation.prompt.name"),
        "promptVersion": said.get("langfuse.observation.prompt.version"),
    }
    trace: dict[str, Any] = {
        **shared,
        "timestamp": start if root else None,
        "name": said.get("langfuse.trace.name") or (span["name"] if root else None),
        "metadata": _nested(said, "langfuse.trace.metadata") or None,
        "tags": _tags(said.get("langfuse.trace.tags")),
        "public": said.get("langfuse.trace.public"),
        "release": said.get("langfuse.release") or span["resource"].get("langfuse.release"),
        "version": said.get("langfuse.version"),
        "input": _parsed(said.get("langfuse.trace.input")) or (observation["input"] if root else None),
        "output": _parsed(said.get("langfuse.trace.output")) or (observation["output"] if root else None),
    }
    return [Entity("observation", span["spanId"], _said(observation)), Entity("trace", span["traceId"], _said(trace))]


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _usage(said: Mapping[str, Any]) -> dict[str, int]:
    own = _parsed(said.get("langfuse.observation.usage_details"))
    return counted(own if isinstance(own, Mapping) else {name: _first(said, keys) for name, keys in _TOKENS.items()})


def _parameters(said: Mapping[str, Any]) -> dict[str, Any] | None:
    prefix = "gen_ai.request."
    return {key.removeprefix(prefix): value for key, value in said.items() if key.startswith(prefix) and key != f"{prefix}model"} or None


def _first(said: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((said[key] for key in keys if said.get(key) not in (None, "")), None)


def _nested(said: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """``prefix`` as one JSON value, and ``prefix.KEY`` one by one."""
    whole = _parsed(said.get(prefix))
    found = dict(whole) if isinstance(whole, Mapping) else {} if whole is None else {"metadata": whole}
    return found | {key.removeprefix(f"{prefix}."): _parsed(value) for key, value in said.items() if key.startswith(f"{prefix}.")}


def _tags(value: Any) -> list[str] | None:
    found = _parsed(value)
    if isinstance(found, list):
        return [str(tag) for tag in found]
    return [str(found)] if found else None


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in '{["':
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _time(nanoseconds: int) -> str | None:
    return iso(datetime.fromtimestamp(nanoseconds / 1e9, UTC)) if nanoseconds else None
