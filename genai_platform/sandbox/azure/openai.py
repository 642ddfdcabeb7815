"""Azure OpenAI's stand-in: checks the key, answers, streams and counts tokens.

Every request is written to ``openai/requests.jsonl`` (route, deployment, streaming, status, the last user text, tokens;
never a key), for those who want to see what reached the model.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genai_platform.config.azure_models import RESPONSES_API_VERSION, reasons
from genai_platform.sandbox.azure import openai_answers
from genai_platform.sandbox.azure.openai_part import deployments_file, key_file, models_file, throttled_file
from genai_platform.sandbox.layout import SandboxLayout

PAUSE = 0.02
"""Seconds between two pieces of a stream."""

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|preview|latest|v1")
_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription "
)
_DENIED += "and use a correct regional API endpoint for your resource."
_ABSENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment "
)
_ABSENT += "and try again."

_OPERATIONS: Mapping[str, tuple[Callable[[str, Mapping[str, Any]], openai_answers.Answer], str]] = {
    "chat/completions": (openai_answers.Chat, "messages"),
    "completions": (openai_answers.Completion, "prompt"),
    "embeddings": (openai_answers.Embeddings, "input"),
    "responses": (openai_answers.Response, "input"),
}


class OpenAI:
    """The application over one sandbox's files."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._key = key_file(layout)
        self._deployments = deployments_file(layout)
        self._models_file = models_file(layout)
        self._throttled_file = throttled_file(layout)
        self._log = layout.root / "openai" / "requests.jsonl"

    def application(self) -> Starlette:
        routes = [
            Route("/openai/deployments/{deployment}/{operation:path}", self._classic, methods=["POST"]),
            Route("/openai/v1/models", self._models),
            Route("/openai/models", self._models),
            Route("/openai/v1/{operation:path}", self._modern, methods=["POST"]),
            Route("/openai/responses", self._dated_responses, methods=["POST"]),
        ]
        routes += [Route(f"/{{account}}{one.path}", one.endpoint, methods=one.methods) for one in routes]
        return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})

    # -- routes -----------------------------------------------------------------------------------
    async def _classic(self, request: Request) -> Response:
        """The deployment is in the path and the API's version in the query."""
        if not _API_VERSION.fullmatch(request.query_params.get("api-version", "")):
            return self._refuse(request, 404, "404", "Resource not found")
        return await self._answer(request, request.path_params["operation"], request.path_params["deployment"])

    async def _modern(self, request: Request) -> Response:
        """The deployment is the body's model; no version needed."""
        return await self._answer(request, request.path_params["operation"], None)

    async def _dated_responses(self, request: Request) -> Response:
        """Older versions of the API do not have this route: the same 404 as for one that never was."""
        version = request.query_params.get("api-version", "")
        if not _API_VERSION.fullmatch(version) or version[:10] < RESPONSES_API_VERSION[:10]:
            return self._refuse(request, 404, "404", "Resource not found")
        return await self._answer(request, "responses", None)

    async def _models(self, request: Request) -> Response:
        if not self._admitted(request):
            return self._refuse(request, 401, "401", _DENIED)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "sandbox"} for name in self._names()]
        return JSONResponse({"object": "list", "data": data})

    # -- inside -----------------------------------------------------------------------------------
    async def _answer(self, request: Request, operation: str, deployment: str | None) -> Response:
        if not self._admitted(request):
            return self._refuse(request, 401, "401", _DENIED)
        if operation not in _OPERATIONS:
            return self._refuse(request, 404, "404", "Resource not found")
        make, needed = _OPERATIONS[operation]
        try:
            body = json.loads(await request.body())
        except ValueError:
            return self._refuse(request, 400, "BadRequest", "We could not parse the JSON body of your request.")
        name = deployment if deployment is not None else body.get("model") if isinstance(body, dict) else None
        if name not in self._names():
            return self._refuse(request, 404, "DeploymentNotFound", _ABSENT)
        if not isinstance(body, dict) or needed not in body or (needed == "messages" and not isinstance(body[needed], list)):
            text = f"Missing required parameter: '{needed}'."
            error = {"message": text, "type": "invalid_request_error", "param": needed, "code": "missing_required_parameter"}
            self._note(request, 400, {})
            return JSONResponse({"error": error}, 400, headers=_headers())
        account = request.path_params.get("account", "")
        if wait := self._throttled(str(name)) or self._throttled(f"{account}/{name}"):
            self._note(request, 429, {"refused": "429", "deployment": name})
            said = f"Requests to this operation have exceeded the rate limit of your deployment. Please retry after {wait} seconds."
            return JSONResponse({"error": {"code": "429", "message": said}}, 429, headers=_headers(0) | {"retry-after": str(wait)})
        model = self._model(str(name))
        if operation == "chat/completions" and reasons(model) and (fault := _not_for_reasoning(body)):
            self._note(request, 400, {"refused": fault["code"], "deployment": name})
            return JSONResponse({"error": fault}, 400, headers=_headers())
        answer = make(model, body)
        streams = bool(body.get("stream")) and not isinstance(answer, openai_answers.Embeddings)
        facts = {"operation": operation, "deployment": name, "stream": streams, "text": getattr(answer, "text", None)}
        self._note(request, 200, {**facts, "prompt_tokens": answer.usage.prompt, "answer_tokens": answer.usage.answer})
        if streams and not isinstance(answer, openai_answers.Embeddings):
            events = _events(answer)
            return StreamingResponse(events, media_type="text/event-stream", headers={**_headers(), "cache-control": "no-cache"})
        return _json(answer.whole())

    def _admitted(self, request: Request) -> bool:
        given = request.headers.get("api-key", "")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not given and scheme.lower() == "bearer":
            given = token
        return bool(given) and hmac.compare_digest(given.encode(), self._key.read_text().strip().encode())

    def _model(self, deployment: str) -> str:
        """The model of a deployment, which Azure's answers name; where it is not known, the deployment's own name."""
        return str(_object(self._models_file).get(deployment, deployment))

    def _throttled(self, deployment: str) -> int:
        """Seconds until a deployment answers again; 0: it does."""
        return max(0, math.ceil(float(_object(self._throttled_file).get(deployment, 0)) - time.time()))

    def _names(self) -> list[str]:
        names: list[str] = json.loads(self._deployments.read_text())
        return names

    def _refuse(self, request: Request, status: int, code: str, message: str) -> Response:
        self._note(request, status, {"refused": code})
        return JSONResponse({"error": {"code": code, "message": message}}, status, headers=_headers())

    def _note(self, request: Request, status: int, facts: Mapping[str, Any]) -> None:
        line = {"at": time.time(), "method": request.method, "path": request.url.path, "status": status, **facts}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


async def _events(answer: openai_answers.Chat | openai_answers.Completion | openai_answers.Response) -> AsyncIterator[bytes]:
    named = isinstance(answer, openai_answers.Response)
    for piece in answer.pieces():
        text = json.dumps(piece, ensure_ascii=False, separators=(",", ":"))
        yield (f"event: {piece['type']}\n" if named else "").encode() + f"data: {text}\n\n".encode()
        await asyncio.sleep(PAUSE)
    if not named:
        yield b"data: [DONE]\n\n"


def _json(document: Mapping[str, Any]) -> Response:
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, media_type="application/json", headers=_headers())


def _object(file: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _not_for_reasoning(body: Mapping[str, Any]) -> dict[str, str] | None:
    """What a reasoning model refuses in a chat (Microsoft Learn, "Azure OpenAI reasoning models": unsupported parameters)."""
    error = {"type": "invalid_request_error"}
    if body.get("max_tokens") is not None:
        text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        return error | {"message": text, "param": "max_tokens", "code": "unsupported_parameter"}
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            text = f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the default (1) value is supported."
            return error | {"message": text, "param": name, "code": "unsupported_value"}
    return None


def _headers(left: int = 1000) -> dict[str, str]:
    limits = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-remaining-requests": str(left)}
    return limits | {"x-ms-region": "Japan East", "apim-request-id": str(uuid.uuid4()), "x-request-id": str(uuid.uuid4())}


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"code": "404", "message": "Resource not found"}}, 404, headers=_headers())


def main() -> None:
    """``python -m genai_platform.sandbox.azure.openai --place ROOT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layout", type=Path, required=True)
    layout = SandboxLayout.open(parser.parse_args().layout)
    uvicorn.run(
        OpenAI(layout).application(), host="127.0.0.1", port=layout.ports["openai"], log_level="warning", access_log=False,
        timeout_graceful_shutdown=2, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
