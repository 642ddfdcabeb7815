"""``InvokeModel`` of Anthropic's models: the Messages API without ``model`` and ``stream``, with ``anthropic_version``.

Amazon Bedrock user guide, "Anthropic Claude Messages API".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genai_platform.sandbox.aws.bedrock.answers import Answer, Conversation, identifier, pieces
from genai_platform.sandbox.aws.bedrock.converse import LATENCY
from genai_platform.sandbox.aws.bedrock.faults import invalid
from genai_platform.sandbox.azure.openai_answers import text_of, tokens

_VERSION = "bedrock-2023-05-31"


def read(body: Mapping[str, Any]) -> Conversation:
    """A request's conversation. Raises ``Fault``."""
    for name in ("anthropic_version", "max_tokens", "messages"):
        if name not in body:
            raise invalid(f"{name}: Field required")
    for name in ("model", "stream"):
        if name in body:
            raise invalid(f"{name}: Extra inputs are not permitted")
    if body["anthropic_version"] != _VERSION:
        raise invalid(f"anthropic_version: Input should be '{_VERSION}'")
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    if not messages or messages[0].get("role") != "user":
        raise invalid('messages: first message must use the "user" role')
    last = messages[-1]["content"]
    blocks: Sequence[Mapping[str, Any]] = [{"type": "text", "text": last}] if isinstance(last, str) else last
    choice = body.get("tool_choice") or {"type": "auto"}
    tools = [tool for tool in body.get("tools") or [] if "input_schema" in tool]
    return Conversation(
        asked=text_of([block for block in blocks if block["type"] == "text"]),
        tokens=tokens(json.dumps([body.get("system"), messages, tools], ensure_ascii=False)) + 3,
        results=tuple(text_of(block.get("content")) for block in blocks if block["type"] == "tool_result"),
        tools={tool["name"]: tool["input_schema"] for tool in tools},
        choice=choice["name"] if choice["type"] == "tool" else choice["type"],
        limit=body["max_tokens"],
    )


def whole(model: str, answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    block: dict[str, Any] = {"type": "text", "text": answer.text}
    if answer.tool:
        block = {**_tool(answer), "input": answer.input}
    usage = {"input_tokens": answer.input_tokens, **_NO_CACHE, "output_tokens": answer.output_tokens}
    return {**_message(model), "content": [block], "stop_reason": answer.stop, "stop_sequence": None, "usage": usage}


def events(model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    """The events of the answer's stream."""
    begun = {"input_tokens": answer.input_tokens, **_NO_CACHE, "output_tokens": 1}
    message = {**_message(model), "content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
    yield {"type": "message_start", "message": message}
    if answer.tool:
        yield {"type": "content_block_start", "index": 0, "content_block": {**_tool(answer), "input": {}}}
        for piece in pieces(json.dumps(answer.input, ensure_ascii=False)):
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
    else:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for piece in pieces(answer.text):
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": answer.stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": answer.output_tokens}}
    counts = {"inputTokenCount": answer.input_tokens, "outputTokenCount": answer.output_tokens}
    metrics = {**counts, "invocationLatency": LATENCY, "firstByteLatency": LATENCY}
    yield {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}


_NO_CACHE = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def _message(model: str) -> dict[str, Any]:
    name = model.removeprefix("anthropic.").partition("-v1:")[0]
    return {"model": name, "id": identifier("msg_bdrk_01", 22), "type": "message", "role": "assistant"}


def _tool(answer: Answer) -> dict[str, Any]:
    return {"type": "tool_use", "id": identifier("toolu_bdrk_01", 22), "name": answer.tool}
