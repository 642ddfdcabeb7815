"""What LiteLLM gets from Bedrock, as JSON: a program of its own, since importing LiteLLM takes long."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import litellm

HAIKU, NOVA = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
ASK: list[Any] = [{"role": "user", "content": "What is 6 x 7?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def chat(model: str, region: str = "us-east-1", **further: Any) -> Any:
    return litellm.completion(model=model, aws_region_name=region, **{"messages": ASK, **further}, num_retries=0)


def text(model: str, **further: Any) -> list[Any]:
    got = chat(model, **further)
    return [got.choices[0].message.content, got.choices[0].finish_reason, got.usage.completion_tokens]


def stream(model: str) -> list[Any]:
    chunks = list(chat(model, stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    usage = [chunk.usage.completion_tokens for chunk in chunks if getattr(chunk, "usage", None)]
    return ["".join(pieces), len([piece for piece in pieces if piece]) > 1, *usage]


def tool(streamed: bool) -> list[Any]:
    wanted = {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    if streamed:
        got = litellm.stream_chunk_builder(list(chat(f"bedrock/converse/{HAIKU}", stream=True, **wanted)))
    else:
        got = chat(f"bedrock/{HAIKU}", **wanted)
    (call,) = got.choices[0].message.tool_calls
    answer = {"role": "tool", "tool_call_id": call.id, "content": "clear"}
    ended = chat(f"bedrock/{HAIKU}", messages=[*ASK, got.choices[0].message.model_dump(), answer], tools=[WEATHER])
    return [call.function.name, json.loads(call.function.arguments), got.choices[0].finish_reason, ended.choices[0].message.content]


def embed(model: str, **further: Any) -> list[Any]:
    got = litellm.embedding(model=model, input=["one", "two"], aws_region_name="us-east-1", **further)
    return [len(got.data), len(got.data[0]["embedding"]), got.usage.prompt_tokens]


def refused(call: Callable[[], Any]) -> list[Any]:
    try:
        call()
    except Exception as error:
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return []


json.dump(
    {
        "chat": text(f"bedrock/{HAIKU}"),
        "converse": text(f"bedrock/converse/{NOVA}"),
        "invoke": text(f"bedrock/invoke/{HAIKU}"),
        "stream": stream(f"bedrock/converse/{NOVA}"),
        "invoke stream": stream(f"bedrock/invoke/{HAIKU}"),
        "tool": tool(False),
        "streamed tool": tool(True),
        "titan": embed("bedrock/amazon.titan-embed-text-v2:0", dimensions=512),
        "cohere": embed("bedrock/cohere.embed-multilingual-v3"),
        "elsewhere": refused(lambda: chat(f"bedrock/converse/{NOVA}", "ap-northeast-1")),
        "application": text(f"bedrock/converse/{HAIKU}", model_id=sys.argv[1]),
        "other": refused(lambda: chat("bedrock/converse/amazon.nova-micro-v1:0")),
        "throttled": refused(lambda: chat("bedrock/converse/us.anthropic.claude-sonnet-4-6")),
    },
    sys.stdout,
)
