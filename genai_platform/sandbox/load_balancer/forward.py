"""One listener's work: admit, choose a target, pass request and answer through as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import quote

import httpx

from genai_platform.sandbox.load_balancer.routes import Listener
from genai_platform.sandbox.load_balancer.targets import Target, Targets

_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_REPLACED = _HOP | {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port"}
_TEXTS = {
    403: "this address is not admitted",
    404: "no rule for this host and path",
    502: "the target closed the connection",
    503: "no target is healthy",
    504: "the target did not answer in time",
}


class Forward:
    """An ASGI application for one port. The listener is looked up at each request, so rules change without a restart.

    Args:
        listener: what the port does now.
        targets: the targets of all target groups.
    """

    def __init__(self, listener: Callable[[], Listener], targets: Targets) -> None:
        self._listener, self._targets = listener, targets

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        listener = self._listener()
        address = scope["client"][0]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        rule = listener.find(host.rsplit(":", 1)[0] if not host.endswith("]") else host, scope["path"], headers)
        if rule is None:
            await _say(send, 404)
        elif not rule.admits(address):
            await _say(send, 403)
        elif (target := self._targets.choose(rule.group.name)) is None:
            await _say(send, 503)
        else:
            with target.in_use():
                await self._pass(target, listener, scope, receive, send, address)

    async def _pass(self, target: Target, listener: Listener, scope: Any, receive: Any, send: Any, address: str) -> None:
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(target.url).copy_with(raw_path=path.split(b"?")[0] + query)
        known = next((value for name, value in scope["headers"] if name == b"x-forwarded-for"), b"")
        own = [(name, value) for name, value in scope["headers"] if name not in _REPLACED]
        own += [
            (b"x-forwarded-for", known + (b", " if known else b"") + address.encode()),
            (b"x-forwarded-proto", b"https" if listener.certificates else b"http"),
            (b"x-forwarded-port", str(listener.port).encode()),
        ]
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        client = _Client(receive, sends=framed)
        request = httpx.Request(scope["method"], url, headers=own, content=client.body() if framed else None)
        request.extensions = {"timeout": httpx.Timeout(listener.idle, connect=10).as_dict()}
        exchange, left = asyncio.create_task(_exchange(target, request, send)), asyncio.create_task(client.left())
        try:
            await asyncio.wait({exchange, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            # A client that left wants no answer any more: the target learns that too, as its connection closes.
            exchange.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await exchange


async def _exchange(target: Target, request: httpx.Request, send: Any) -> None:
    started = False
    try:
        answer = await target.client.send(request, stream=True)
        try:
            started = True
            await send({"type": "http.response.start", "status": answer.status_code, "headers": _back(answer.headers.raw)})
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            await answer.aclose()
        # Last of all: from here on the server says that the client is done.
        await send({"type": "http.response.body", "body": b""})
    except (httpx.TimeoutException, httpx.TransportError) as error:
        if started:
            # The head is out: all that is left is to break the connection, which the server does on an exception.
            raise ConnectionError(str(error)) from None
        await _say(send, 504 if isinstance(error, httpx.TimeoutException) else 502)


class _Client:
    """What a client sends, piece by piece, and at last that it left.

    Args:
        sends: whether its request has a body.
    """

    def __init__(self, receive: Any, *, sends: bool) -> None:
        self._receive = receive
        self._sent = asyncio.Event()
        self._gone = False
        if not sends:
            self._sent.set()

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                self._gone = True
                self._sent.set()
                # Half a body must not end like a whole one: the request is cancelled here.
                await asyncio.Event().wait()
            more = bool(message.get("more_body"))
            if message.get("body"):
                yield message["body"]
        self._sent.set()

    async def left(self) -> None:
        """Return once it has gone. Nothing else may be received then: its body comes first."""
        await self._sent.wait()
        while not self._gone:
            self._gone = (await self._receive())["type"] == "http.disconnect"


def _back(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP]


async def _say(send: Any, status: int) -> None:
    body = f"{status} {_TEXTS[status]}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), (b"server", b"awselb/2.0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
