"""``Converse`` and ``ConverseStream``: one form of request and answer for every model that chats.

Amazon Bedrock API reference, "Converse"; the texts of the refusals are the service's own as users report them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genai_platform.sandbox.aws.bedrock.answers import Answer, Conversation, identifier, pieces
from genai_platform.sandbox.aws.bedrock.faults import invalid
from genai_platform.sandbox.azure.openai_answers import tokens

LATENCY = 42
"""Milliseconds that an answer says it took."""
_RANGES = {"maxTokens": (1, None), "temperature": (0, 1), "topP": (0, 1)}


def read(body: Mapping[str, Any]) -> Conversation:
    """A request's conversation. Raises ``Fault``."""
    messages = body.get("messages") or []
    _check_turns(messages)
    _check_inference(body.get("inferenceConfig") or {})
    specs = [tool["toolSpec"] for tool in (body.get("toolConfig") or {}).get("tools", []) if "toolSpec" in tool]
    if not specs and any(kind in block for turn in messages for block in turn["content"] for kind in ("toolUse", "toolResult")):
        raise invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    choice: Mapping[str, Any] = (body.get("toolConfig") or {}).get("toolChoice") or {"auto": {}}
    last = messages[-1]["content"]
    return Conversation(
        asked="\n".join(block["text"] for block in last if "text" in block),
        tokens=tokens(json.dumps([body.get("system"), messages, specs], ensure_ascii=False)) + 3,
        results=tuple(_said(block["toolResult"]) for block in last if "toolResult" in block),
        tools={spec["name"]: spec["inputSchema"]["json"] for spec in specs},
        choice=choice["tool"]["name"] if "tool" in choice else next(iter(choice)),
        limit=(body.get("inferenceConfig") or {}).get("maxTokens"),
    )


def whole(answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    message = {"role": "assistant", "content": [_block(answer)]}
    return {"output": {"message": message}, "stopReason": answer.stop, "usage": _usage(answer), "metrics": {"latencyMs": LATENCY}}


def events(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of the answer's stream: name and content."""
    index = {"contentBlockIndex": 0}
    yield "messageStart", {"role": "assistant"}
    if answer.tool:
        yield "contentBlockStart", {"start": {"toolUse": {"toolUseId": identifier("tooluse_", 22), "name": answer.tool}}, **index}
        for piece in pieces(json.dumps(answer.input, ensure_ascii=False)):
            yield "contentBlockDelta", {"delta": {"toolUse": {"input": piece}}, **index}
    else:
        for piece in pieces(answer.text):
            yield "contentBlockDelta", {"delta": {"text": piece}, **index}
    yield "contentBlockStop", index
    yield "messageStop", {"stopReason": answer.stop}
    yield "metadata", {"usage": _usage(answer), "metrics": {"latencyMs": LATENCY}}


def _block(answer: Answer) -> dict[str, Any]:
    if not answer.tool:
        return {"text": answer.text}
    return {"toolUse": {"toolUseId": identifier("tooluse_", 22), "name": answer.tool, "input": answer.input}}


def _usage(answer: Answer) -> dict[str, int]:
    total = answer.input_tokens + answer.output_tokens
    none = {"cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}
    return {"inputTokens": answer.input_tokens, "outputTokens": answer.output_tokens, "totalTokens": total, **none}


def _said(result: Mapping[str, Any]) -> str:
    return " ".join(part["text"] if "text" in part else json.dumps(part.get("json"), ensure_ascii=False) for part in result["content"])


def _check_turns(messages: Sequence[Mapping[str, Any]]) -> None:
    if not messages or messages[0].get("role") != "user":
        raise invalid("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
    pending: set[str] = set()
    for number, turn in enumerate(messages):
        if turn.get("role") != ("user", "assistant")[number % 2]:
            raise invalid(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user "
                "and assistant roles and try again."
            )
        content = turn.get("content") or []
        if not content:
            text = f"The content field in the Message object at messages.{number} is empty. Add a ContentBlock object to the content field"
            raise invalid(f"{text} and try again.")
        for place, block in enumerate(content):
            if "text" in block and not str(block["text"]).strip():
                where = f"messages.{number}.content.{place}"
                raise invalid(f"The text field in the ContentBlock object at {where} is blank. Add text to the text field, and try again.")
        answered = {block["toolResult"]["toolUseId"] for block in content if "toolResult" in block}
        if missing := pending - answered:
            names = ", ".join(sorted(missing))
            raise invalid(f"Expected toolResult blocks at messages.{number}.content for the following Ids: {names}")
        if answered - pending:
            raise invalid(
                f"The number of toolResult blocks at messages.{number}.content exceeds the number of toolUse blocks of previous turn."
            )
        pending = {block["toolUse"]["toolUseId"] for block in content if "toolUse" in block}


def _check_inference(config: Mapping[str, Any]) -> None:
    for name, (least, most) in _RANGES.items():
        value = config.get(name)
        if value is not None and (value < least or (most is not None and value > most)):
            bound = f"greater than or equal to {least}" if value < least else f"less than or equal to {most}"
            said = f"1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy constraint: "
            raise invalid(f"{said}Member must have value {bound}")
