"""The service's routes: runtime (``/model/…``) and control plane (``/foundation-models``, ``/inference-profiles``)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from genai_platform.sandbox.aws.bedrock import answers, catalog, claude, control_plane, converse, embeddings, event_stream, faults
from genai_platform.sandbox.aws.bedrock.faults import Fault, invalid
from genai_platform.sandbox.layout import SandboxLayout

PATHS = ("/model/", "/foundation-models", "/inference-profiles")
"""How the paths of this service begin."""
PAUSE = 0.02
"""Seconds between two pieces of a stream."""
_OPERATIONS = ("converse", "converse-stream", "invoke", "invoke-with-response-stream")
_EMBEDDINGS = {"titan-embedding": embeddings.titan, "cohere-embedding": embeddings.cohere}
_NO_CHAT = "This action doesn't support the model that you provided. Try again with a supported text or chat model."
_NO_STREAM = "The model is unsupported for streaming"
_UNKNOWN = "The provided model identifier is invalid."


def answer(layout: SandboxLayout, request: Request, raw_path: str, region: str) -> Response:
    """What Bedrock answers to a request that is signed and allowed.

    Args:
        raw_path: as it was sent: an id has a colon in it, an ARN a slash, both percent-encoded.
        region: the one that it was signed for.
    """
    kind, _, rest = raw_path.strip("/").partition("/")
    try:
        if request.method == "GET" and kind in ("foundation-models", "inference-profiles"):
            return _json(_read(kind, unquote(rest), region, request.args.to_dict()))
        name, _, operation = rest.partition("/")
        if request.method == "POST" and kind == "model" and operation in _OPERATIONS:
            return _invoke(layout, unquote(name), operation, region, _body(request))
        raise Fault("ResourceNotFoundException", f"{request.method} {raw_path} is not served in the sandbox")
    except Fault as fault:
        return fault.answer()


def _read(kind: str, name: str, region: str, query: Mapping[str, str]) -> dict[str, Any]:
    if kind == "foundation-models":
        return control_plane.get_foundation_model(region, name) if name else control_plane.list_foundation_models(region, query)
    return control_plane.get_inference_profile(region, name) if name else control_plane.list_inference_profiles(region, query)


def _invoke(layout: SandboxLayout, name: str, operation: str, region: str, body: Mapping[str, Any]) -> Response:
    model = _model(name, region)
    refusal, ending = faults.asked_for(layout, region, name)
    if refusal:
        raise refusal
    if operation.startswith("converse"):
        if not model.chats:
            raise invalid(_NO_CHAT)
        made = answers.answer(converse.read(body))
        frames = (event_stream.event(name, content) for name, content in converse.events(made))
        return _stream(frames, ending) if operation == "converse-stream" else _json(converse.whole(made))
    streams = operation == "invoke-with-response-stream"
    if model.kind in _EMBEDDINGS:
        if streams:
            raise invalid(_NO_STREAM)
        embedded = _EMBEDDINGS[model.kind](model, body)
        return _json(embedded.document, embedded.input_tokens)
    if model.kind == "claude":
        made = answers.answer(claude.read(body))
        return _stream(_chunks(claude.events(model.id, made)), ending) if streams else _counted(claude.whole(model.id, made), made)
    # Nova's own form is Converse's.
    made = answers.answer(converse.read(body))
    named = ({name: content} for name, content in converse.events(made))
    return _stream(_chunks(named), ending) if streams else _counted(converse.whole(made), made)


def _model(name: str, region: str) -> catalog.FoundationModel:
    found = catalog.find(name, region)
    if found is None:
        raise invalid(_UNKNOWN)
    if isinstance(found, catalog.InferenceProfile):
        return found.model
    if region not in found.on_demand:
        raise invalid(
            f"Invocation of model ID {name} with on-demand throughput isn\u2019t supported. Retry your request with the ID or ARN of an "
            "inference profile that contains this model."
        )
    return found


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise invalid("Malformed input request, please reformat your input and try again.") from None
    if not isinstance(body, dict):
        raise invalid("Malformed input request: expected type: JSONObject, please reformat your input and try again.")
    return body


def _chunks(events: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A model's own events, each in a frame of the one kind that ``InvokeModelWithResponseStream`` has."""
    for content in events:
        inner = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        yield event_stream.event("chunk", {"bytes": base64.b64encode(inner).decode()})


def _stream(frames: Iterator[bytes], ending: Fault | None) -> Response:
    def paced() -> Iterator[bytes]:
        for number, frame in enumerate(frames):
            if ending and number == 2:
                yield event_stream.exception(ending.code, ending.message)
                return
            yield frame
            time.sleep(PAUSE)

    return Response(paced(), 200, {"X-Amzn-Bedrock-Content-Type": "application/json"}, content_type=event_stream.CONTENT_TYPE)


def _counted(document: Mapping[str, Any], made: answers.Answer) -> Response:
    return _json(document, made.input_tokens, made.output_tokens)


def _json(document: Mapping[str, Any], input_tokens: int | None = None, output_tokens: int | None = None) -> Response:
    counts = {"X-Amzn-Bedrock-Input-Token-Count": input_tokens, "X-Amzn-Bedrock-Output-Token-Count": output_tokens}
    said = {name: str(count) for name, count in counts.items() if count is not None}
    if said:
        said["X-Amzn-Bedrock-Invocation-Latency"] = str(converse.LATENCY)
    return Response(json.dumps(document, ensure_ascii=False), 200, said, content_type="application/json")
