"""The gateway's front: finds the service, the API and the operation of a request, runs the policy, forwards."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import partial
from typing import Any

import anyio
import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genai_platform.sandbox import pace
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.gateway.execute import FAILURE, Answer, Cache, Executor
from genai_platform.sandbox.azure.gateway.expressions import Context
from genai_platform.sandbox.azure.gateway.service import Backend, Service, read_service
from genai_platform.sandbox.azure.gateway.tokens import Tokens
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.transport import client as sandbox_client

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization", "host", "content-length"}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class Gateway:
    def __init__(self, azure: AzureState, entra: Entra) -> None:
        self._azure, self._entra = azure, entra
        self._client = sandbox_client(azure.layout)
        trusted = ssl.create_default_context(cafile=str(azure.layout.ca_file))
        self._forward = httpx.AsyncClient(verify=trusted, trust_env=False, timeout=httpx.Timeout(None))
        # A backend may say that its certificate is the platform's own, which nobody outside can check.
        self._forward_unverified = httpx.AsyncClient(verify=False, trust_env=False, timeout=httpx.Timeout(None))  # noqa: S501
        self._tokens = Tokens(self._client)
        self._effective = azure.layout.pace.of(pace.APIM_EFFECTIVE)
        self._caches: dict[str, Cache] = {}
        self._services: dict[str, tuple[float, Service | None]] = {}

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self.handle, methods=_METHODS)]

    @property
    def _wall(self) -> float:
        """Seconds an answer may take to begin.

        What is behind the gateway works at its own speed: a wall at the pace of a rehearsal would refuse what Azure takes.
        """
        return max(self._azure.layout.pace.of(pace.APIM_FORWARD), pace.APIM_FORWARD_LEAST.seconds)

    def service(self, name: str) -> Service | None:
        """The service as ARM held it when it was last read: a change becomes effective late."""
        at, known = self._services.get(name, (0.0, None))
        if time.monotonic() - at >= self._effective:
            known = read_service(self._azure.store, name)
            self._services[name] = (time.monotonic(), known)
        return known

    async def handle(self, request: Request) -> Response:
        name, path = self._addressed(request.url.hostname or "", request.url.path)
        service = await anyio.to_thread.run_sync(self.service, name)
        found = service.api_for(path) if service else None
        if service is None or found is None or not found[0].accepts(request.method, found[1]):
            return JSONResponse({"statusCode": 404, "message": "Resource not found"}, 404)
        api, rest = found
        headers = {key.lower(): value for key, value in request.headers.items()}
        if api.key_header.lower() in headers or api.key_required:
            # Even where no key is required, an invalid one is refused: the reason for renaming the header.
            return JSONResponse({"statusCode": 401, "message": "Access denied due to invalid subscription key."}, 401)
        context = Context(request.method, headers, named_values=service.named_values)
        cache, identity = self._caches.setdefault(service.name, Cache()), partial(self._entra.microsoft_token, service.principal_id)
        executor = Executor(self._tokens, cache, self._client, identity)
        answer = await anyio.to_thread.run_sync(executor.section, api.program, "inbound", context)
        if answer:
            return _made(answer)
        backend = service.backends.get(context.backend_id or "")
        if backend is None:
            return _made(FAILURE)
        return await self._forwarded(executor, api.program, context, backend, rest, request)

    def _addressed(self, host: str, path: str) -> tuple[str, str]:
        """The service's name, which is the host's first label, and the path.

        For clients that cannot resolve ``*.localhost`` there is ``localhost/NAME``; without a name it means the only service.
        """
        if host not in ("localhost", "127.0.0.1"):
            return host.split(".")[0], path
        names = [str(service["name"]) for service in self._azure.store.all("services")]
        first, _, rest = path.lstrip("/").partition("/")
        if first in names:
            return first, f"/{rest}"
        return names[0] if len(names) == 1 else host, path

    async def _forwarded(self, executor: Executor, program: Any, context: Context, to: Backend, rest: str, request: Request) -> Response:
        # Without this the client would ask for compression on its own, and a caller who did not would get it.
        sent = {"accept-encoding": "identity"} | {key: value for key, value in context.headers.items() if key not in _HOP_BY_HOP}
        client = self._forward if to.verified else self._forward_unverified
        outgoing = client.build_request(context.method, to.url + rest, params=request.url.query, headers=sent, content=await request.body())
        try:
            upstream = await asyncio.wait_for(client.send(outgoing, stream=True), self._wall)
        except (httpx.HTTPError, TimeoutError):
            # Unreachable, too slow, or its TLS failed (reason BackendConnectionFailure): callers see only this.
            return _made(FAILURE)
        context.response_status = upstream.status_code
        context.headers = {key.lower(): value for key, value in upstream.headers.items()}
        answer = await anyio.to_thread.run_sync(executor.section, program, "outbound", context)
        if answer:
            await upstream.aclose()
            return _made(answer)
        kept = {key: value for key, value in context.headers.items() if key not in _HOP_BY_HOP}
        return StreamingResponse(upstream.aiter_raw(), upstream.status_code, kept, background=BackgroundTask(upstream.aclose))


def _made(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
