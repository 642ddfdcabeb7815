"""Azure OpenAI's stand-in: checks the key, answers, streams and counts tokens.

Every request is written to ``openai/requests.jsonl`` (route, deployment, streaming, status, the last user text, tokens;
never a key), for those who want to see what reached the model.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genai_platform.config.azure_models import RESPONSES_API_VERSION, reasons
from genai_platform.sandbox.azure import openai_answers, openai_part
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import told_layout

PAUSE = 0.02
"""Seconds between two pieces of a stream."""

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|preview|latest|v1")
DENIED = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription "
DENIED += "and use a correct regional API endpoint for your resource."
_ABSENT = "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a"
_ABSENT += " moment and try again."

_OPERATIONS: Mapping[str, tuple[Callable[[str, Mapping[str, Any]], openai_answers.Answer], str]] = {
    "chat/completions": (openai_answers.Chat, "messages"),
    "completions": (openai_answers.Completion, "prompt"),
    "embeddings": (openai_answers.Embeddings, "input"),
    "responses": (openai_answers.Response, "input"),
}


class Refusal(Exception):
    """An answer that is not given, with the code that Azure OpenAI puts into its body; an empty one has another form of body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def body(self) -> dict[str, Any]:
        if not self.code:
            return {"statusCode": self.status, "message": str(self)}
        return {"error": {"code": self.code, "message": str(self)}}


class Resource(Protocol):
    """One account of Azure OpenAI."""

    def admit(self, request: Request, operation: str) -> None:
        """Raises ``Refusal`` unless the request may have this operation."""

    def deployments(self) -> Mapping[str, str]:
        """Deployment to the model that it is of."""

    def throttled(self, deployment: str) -> int:
        """Seconds until a deployment answers again; 0: it does."""


class KeyResource:
    """An account that somebody else made: one key, and deployments in files that may change while it runs.

    Args:
        account: which of several; they differ in what is throttled and what is down.
    """

    def __init__(self, layout: SandboxLayout, account: str = "") -> None:
        self._layout, self._account = layout, account

    def admit(self, request: Request, operation: str) -> None:
        if self._account in openai_part.told(self._layout, "down"):
            raise Refusal(503, "ServiceUnavailable", "The service is temporarily unable to process your request. Please try again later.")
        given = key_of(request)
        if not given or not hmac.compare_digest(given.encode(), openai_part.key_file(self._layout).read_text().strip().encode()):
            raise Refusal(401, "401", DENIED)

    def deployments(self) -> Mapping[str, str]:
        return openai_part.deployed(self._layout)

    def throttled(self, deployment: str) -> int:
        until = openai_part.told(self._layout, "throttled")
        latest = max(float(until.get(name, 0)) for name in (deployment, f"{self._account}/{deployment}"))
        return max(0, math.ceil(latest - time.time()))


def key_of(request: Request) -> str:
    """What a client shows: its key, or what follows ``Bearer``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("api-key", "") or (token if scheme.lower() == "bearer" else "")


class OpenAI:
    """The application over the resource that each request is for.

    Args:
        resource_of: may raise ``Refusal``.
        log: file to which a line for each request is added.
    """

    def __init__(self, resource_of: Callable[[Request], Resource], log: Path) -> None:
        self._resource_of, self._log = resource_of, log

    def application(self) -> Starlette:
        routes = [
            Route("/openai/deployments/{deployment}/{operation:path}", self._classic, methods=["POST"]),
            Route("/openai/v1/models", self._models),
            Route("/openai/models", self._models),
            Route("/openai/v1/{operation:path}", self._modern, methods=["POST"]),
            Route("/openai/responses", self._dated_responses, methods=["POST"]),
        ]
        # Several accounts behind one address: each has a path of its own.
        routes += [Route(f"/{{account}}{one.path}", one.endpoint, methods=one.methods) for one in routes]
        return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found, Refusal: self._refused})

    # -- routes -----------------------------------------------------------------------------------
    async def _classic(self, request: Request) -> Response:
        """The deployment is in the path and the API's version in the query."""
        if not _API_VERSION.fullmatch(request.query_params.get("api-version", "")):
            raise Refusal(404, "404", "Resource not found")
        return await self._answer(request, request.path_params["operation"], request.path_params["deployment"])

    async def _modern(self, request: Request) -> Response:
        """The deployment is the body's model; no version needed."""
        return await self._answer(request, request.path_params["operation"], None)

    async def _dated_responses(self, request: Request) -> Response:
        """Older versions of the API do not have this route: the same 404 as for one that never was."""
        version = request.query_params.get("api-version", "")
        if not _API_VERSION.fullmatch(version) or version[:10] < RESPONSES_API_VERSION[:10]:
            raise Refusal(404, "404", "Resource not found")
        return await self._answer(request, "responses", None)

    async def _models(self, request: Request) -> Response:
        resource = self._resource_of(request)
        resource.admit(request, "models")
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "sandbox"} for name in resource.deployments()]
        return JSONResponse({"object": "list", "data": data})

    # -- inside -----------------------------------------------------------------------------------
    async def _answer(self, request: Request, operation: str, deployment: str | None) -> Response:
        resource = self._resource_of(request)
        resource.admit(request, operation)
        if operation not in _OPERATIONS:
            raise Refusal(404, "404", "Resource not found")
        make, needed = _OPERATIONS[operation]
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise Refusal(400, "BadRequest", "We could not parse the JSON body of your request.") from None
        name = deployment if deployment is not None else body.get("model") if isinstance(body, dict) else None
        deployments = resource.deployments()
        if name not in deployments:
            raise Refusal(404, "DeploymentNotFound", _ABSENT)
        if not isinstance(body, dict) or needed not in body or (needed == "messages" and not isinstance(body[needed], list)):
            text = f"Missing required parameter: '{needed}'."
            error = {"message": text, "type": "invalid_request_error", "param": needed, "code": "missing_required_parameter"}
            self._note(request, 400, {})
            return JSONResponse({"error": error}, 400, headers=_headers())
        if wait := resource.throttled(str(name)):
            self._note(request, 429, {"refused": "429", "deployment": name})
            said = f"Requests to this operation have exceeded the rate limit of your deployment. Please retry after {wait} seconds."
            return JSONResponse({"error": {"code": "429", "message": said}}, 429, headers=_headers(0) | {"retry-after": str(wait)})
        model = deployments[str(name)]
        if operation == "chat/completions" and reasons(model) and (fault := _not_for_reasoning(body)):
            self._note(request, 400, {"refused": fault["code"], "deployment": name})
            return JSONResponse({"error": fault}, 400, headers=_headers())
        answer = make(model, body)
        streamed = answer if body.get("stream") and not isinstance(answer, openai_answers.Embeddings) else None
        facts = {"operation": operation, "deployment": name, "stream": streamed is not None, "text": getattr(answer, "text", None)}
        self._note(request, 200, {**facts, "prompt_tokens": answer.usage.prompt, "answer_tokens": answer.usage.answer})
        if streamed:
            headers = {**_headers(), "cache-control": "no-cache"}
            return StreamingResponse(_events(streamed), media_type="text/event-stream", headers=headers)
        return JSONResponse(answer.whole(), headers=_headers())

    async def _refused(self, request: Request, refusal: Any) -> Response:
        self._note(request, refusal.status, {"refused": refusal.code or str(refusal.status)})
        return JSONResponse(refusal.body(), refusal.status, headers=_headers())

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
    layout = told_layout()
    log = layout.folder("openai") / "requests.jsonl"
    application = OpenAI(lambda request: KeyResource(layout, request.path_params.get("account", "")), log).application()
    uvicorn.run(
        application, host="127.0.0.1", port=layout.ports["openai"], log_level="warning", access_log=False, timeout_graceful_shutdown=2,
        server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
