"""What a model answers: the same for the same conversation, with the question's own text in it, or a tool that it wants used."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from genai_platform.sandbox.azure.openai_answers import cut, reply_to, tokens

_PIECE = 6  # characters of one streamed piece
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Conversation:
    """What was asked, whichever interface brought it.

    Attributes:
        asked: the text of the last turn.
        results: what the tools said that the last turn reports of.
        tools: the schemas of the tools' inputs, by name.
        choice: a tool's name, ``any``, ``auto`` or ``none``.
        limit: the most tokens of an answer.
        tokens: the size of everything that was sent.
    """

    asked: str
    tokens: int
    results: tuple[str, ...] = ()
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choice: str = "auto"
    limit: int | None = None


@dataclass(frozen=True)
class Answer:
    """A text or a tool's use.

    Attributes:
        stop: ``end_turn``, ``tool_use`` or ``max_tokens``, which every interface here calls by these names.
    """

    text: str
    tool: str | None
    input: Mapping[str, Any]
    stop: str
    input_tokens: int
    output_tokens: int


def pieces(text: str) -> Iterator[str]:
    """A text as a stream brings it."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def identifier(prefix: str, length: int) -> str:
    """A made-up id such as ``tooluse_…``."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def answer(conversation: Conversation) -> Answer:
    """A tool is used where one is demanded, or where the question names it and no result is there yet."""
    if name := _tool(conversation):
        example = _example(conversation.tools[name], conversation.asked)
        used = example if isinstance(example, dict) else {}
        return Answer("", name, used, "tool_use", conversation.tokens, 12 + tokens(str(used)))
    said = f"The tool said: {' '.join(conversation.results)}" if conversation.results else reply_to(conversation.asked)
    text, why = cut(said, conversation.limit)
    stop = "max_tokens" if why == "length" else "end_turn"
    return Answer(text, None, {}, stop, conversation.tokens, tokens(text))


def _tool(conversation: Conversation) -> str | None:
    if conversation.choice in conversation.tools:
        return conversation.choice
    if conversation.choice == "any":
        return next(iter(conversation.tools), None)
    if conversation.choice == "none" or conversation.results:
        return None
    return next((name for name in conversation.tools if name in conversation.asked), None)


def _example(schema: Mapping[str, Any], text: str) -> Any:
    """A value that a JSON schema allows, with the text wherever any text is."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        wanted = schema.get("properties", {})
        return {name: _example(wanted[name], text) for name in schema.get("required", wanted) if name in wanted}
    return {"array": [], "integer": 1, "number": 1, "boolean": True, "null": None}.get(kind, text)
