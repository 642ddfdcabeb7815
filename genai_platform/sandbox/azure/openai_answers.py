"""What Azure OpenAI's stand-in answers: the same for the same question, with the question's own text in it."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PIECE = 6  # characters of one streamed piece
_WORD = re.compile(r"[A-Za-z0-9']+|[^\sA-Za-z0-9']")


def tokens(text: str) -> int:
    """An estimate near the real tokenizer's: a token for about four Latin letters or one other character."""
    return sum(max(1, math.ceil(len(word) / 6)) for word in _WORD.findall(text))


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def reply_to(text: str) -> str:
    """The answer to a question."""
    return f"You said: {text}" if text else "Hello! How can I help you today?"


_DETAILS = ("reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens")


@dataclass(frozen=True)
class Usage:
    """Token counts under the names each interface gives them."""

    prompt: int
    answer: int

    def chat(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.answer,
            "total_tokens": self.prompt + self.answer,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": dict.fromkeys(_DETAILS, 0),
        }

    def responses(self) -> dict[str, Any]:
        return {
            "input_tokens": self.prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.answer,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.prompt + self.answer,
        }


class Chat:
    """One chat completion."""

    def __init__(self, deployment: str, body: Mapping[str, Any]) -> None:
        messages = [message for message in body["messages"] if isinstance(message, Mapping)]
        users = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
        full = reply_to(users[-1] if users else "")
        self.text, self._reason = cut(full, body.get("max_completion_tokens") or body.get("max_tokens"))
        prompt = sum(4 + tokens(text_of(message.get("content"))) for message in messages) + 3
        self.usage = Usage(prompt, tokens(self.text))
        self._include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self._frame = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": deployment,
            "system_fingerprint": "fp_sandbox",
        }

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "finish_reason": self._reason, "logprobs": None, "content_filter_results": _SAFE}
        frame = {**self._frame, "object": "chat.completion", "prompt_filter_results": _PROMPT_SAFE}
        return {**frame, "choices": [choice], "usage": self.usage.chat()}

    def pieces(self) -> Iterator[dict[str, Any]]:
        """The chunks of a stream, without the closing ``[DONE]``."""
        frame = {**self._frame, "object": "chat.completion.chunk"}
        if self._include_usage:
            frame["usage"] = None
        # Azure's first chunk carries the filter's verdict and no choice.
        yield {**frame, "id": "", "created": 0, "model": "", "object": "", "choices": [], "prompt_filter_results": _PROMPT_SAFE}
        yield {**frame, "choices": [_delta({"role": "assistant", "content": "", "refusal": None})]}
        for at in range(0, len(self.text), _PIECE):
            yield {**frame, "choices": [_delta({"content": self.text[at : at + _PIECE]})]}
        yield {**frame, "choices": [_delta({}, self._reason)]}
        if self._include_usage:
            yield {**frame, "choices": [], "usage": self.usage.chat()}


class Completion:
    """One completion of the older interface."""

    def __init__(self, deployment: str, body: Mapping[str, Any]) -> None:
        given = body.get("prompt", "")
        prompt = given if isinstance(given, str) else "\n".join(map(str, given))
        self.text, self._reason = cut(reply_to(prompt), body.get("max_tokens"))
        self.usage = Usage(tokens(prompt), tokens(self.text))
        self._frame = {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()), "model": deployment}

    def whole(self) -> dict[str, Any]:
        choice = {"index": 0, "text": self.text, "finish_reason": self._reason, "logprobs": None, "content_filter_results": _SAFE}
        return {**self._frame, "choices": [choice], "usage": self.usage.chat()}

    def pieces(self) -> Iterator[dict[str, Any]]:
        for at in range(0, len(self.text), _PIECE):
            reason = self._reason if at + _PIECE >= len(self.text) else None
            choice = {"index": 0, "text": self.text[at : at + _PIECE], "finish_reason": reason, "logprobs": None}
            yield {**self._frame, "choices": [choice]}


class Response:
    """One answer of the responses interface."""

    def __init__(self, deployment: str, body: Mapping[str, Any]) -> None:
        given = body.get("input", "")
        items = [item for item in given if isinstance(item, Mapping)] if isinstance(given, Sequence) and not isinstance(given, str) else []
        said = (text_of(item.get("content")) for item in reversed(items) if item.get("role") == "user")
        asked = given if isinstance(given, str) else next(said, "")
        self.text, _ = cut(reply_to(asked), body.get("max_output_tokens"))
        self.usage = Usage(tokens(asked) + tokens(text_of(body.get("instructions"))) + 7, tokens(self.text))
        self._item = f"msg_{uuid.uuid4().hex}"
        self._frame: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": deployment,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "parallel_tool_calls": True,
            "temperature": body.get("temperature", 1.0),
            "tool_choice": "auto",
            "tools": [],
            "top_p": body.get("top_p", 1.0),
        }

    def whole(self) -> dict[str, Any]:
        return {**self._frame, "status": "completed", "output": [self._message("completed")], "usage": self.usage.responses()}

    def pieces(self) -> Iterator[dict[str, Any]]:
        """The events of a stream, numbered."""
        for number, event in enumerate(self._events()):
            yield {**event, "sequence_number": number}

    def _events(self) -> Iterator[dict[str, Any]]:
        begun = {**self._frame, "status": "in_progress", "output": [], "usage": None}
        where = {"item_id": self._item, "output_index": 0, "content_index": 0}
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        yield {"type": "response.output_item.added", "output_index": 0, "item": {**self._message("in_progress"), "content": []}}
        yield {"type": "response.content_part.added", **where, "part": _part("")}
        for at in range(0, len(self.text), _PIECE):
            yield {"type": "response.output_text.delta", **where, "delta": self.text[at : at + _PIECE], "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": self.text, "logprobs": []}
        yield {"type": "response.content_part.done", **where, "part": _part(self.text)}
        yield {"type": "response.output_item.done", "output_index": 0, "item": self._message("completed")}
        yield {"type": "response.completed", "response": self.whole()}

    def _message(self, status: str) -> dict[str, Any]:
        return {"type": "message", "id": self._item, "status": status, "role": "assistant", "content": [_part(self.text)]}


class Embeddings:
    """Vectors of length 1 made from the texts' bytes: equal texts, equal vectors."""

    def __init__(self, deployment: str, body: Mapping[str, Any]) -> None:
        given = body["input"]
        self._texts = [given] if isinstance(given, str) else list(given)
        self._size = int(body.get("dimensions") or 1536)
        self._base64 = body.get("encoding_format") == "base64"
        self._deployment = deployment
        self.usage = Usage(sum(tokens(text) if isinstance(text, str) else 1 for text in self._texts), 0)

    def whole(self) -> dict[str, Any]:
        data = [{"object": "embedding", "index": at, "embedding": self._vector(str(text))} for at, text in enumerate(self._texts)]
        usage = {"prompt_tokens": self.usage.prompt, "total_tokens": self.usage.prompt}
        return {"object": "list", "data": data, "model": self._deployment, "usage": usage}

    def _vector(self, text: str) -> list[float] | str:
        raw = hashlib.shake_256(text.encode()).digest(self._size * 2)
        numbers = [value / 32768 for value in struct.unpack(f"<{self._size}h", raw)]
        length = math.sqrt(sum(value * value for value in numbers)) or 1.0
        vector = [value / length for value in numbers]
        return base64.b64encode(struct.pack(f"<{self._size}f", *vector)).decode() if self._base64 else vector


Answer = Chat | Completion | Response | Embeddings

_SAFE = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}
_PROMPT_SAFE = [{"prompt_index": 0, "content_filter_results": _SAFE}]


def cut(text: str, limit: Any) -> tuple[str, str]:
    """The text within a limit of tokens, and why it ends."""
    if not isinstance(limit, int) or tokens(text) <= limit:
        return text, "stop"
    end = next((end for end in range(1, len(text) + 1) if tokens(text[:end]) > limit), 0)
    return text[: end - 1], "length"


def _delta(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    verdict = _SAFE if delta.get("content") else {}
    return {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None, "content_filter_results": verdict}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
