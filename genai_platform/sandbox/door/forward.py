"""One listener's work: admit, choose a target, pass request and answer through as they come."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import quote

import httpx

from genai_platform.sandbox.door.routes import Listener, Rule

_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_TEXTS = {
    403: "this address is not admitted",
    404: "no rule for this host and path",
    502: "the target closed the connection",
    503: "no target is ready",
    504: "the target did not answer in time",
}


class Forward:
    """An ASGI application for one port. The listener is looked up at each request, so rules change without a restart.

    Args:
        listener: what the port does now.
        reach: where a 10.N.x.y address listens on this machine.
    """

    def __init__(self, listener: Callable[[], Listener], reach: Callable[[str], str]) -> None:
        self._listener = listener
        self._reach = reach
        self._turn = itertools.count()
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=httpx.Limits(max_connections=None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        listener = self._listener()
        address = scope["client"][0]
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        rule = listener.find(host.rsplit(":", 1)[0] if not host.endswith("]") else host, scope["path"])
        if rule is None:
            await _say(send, 404)
        elif not _admitted(rule, address):
            await _say(send, 403)
        elif not rule.targets:
            await _say(send, 503)
        else:
            await self._pass(rule, listener, scope, receive, send, address)

    async def _pass(self, rule: Rule, listener: Listener, scope: Any, receive: Any, send: Any, address: str) -> None:
        target, port = rule.targets[next(self._turn) % len(rule.targets)]
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(f"http://{self._reach(target)}:{port}").copy_with(raw_path=path.split(b"?")[0] + query)
        own = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        known = next((value for name, value in own if name == b"x-forwarded-for"), b"")
        own = [(name, value) for name, value in own if name not in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port")]
        own += [
            (b"x-forwarded-for", known + (b", " if known else b"") + address.encode()),
            (b"x-forwarded-proto", b"https" if listener.certificates else b"http"),
            (b"x-forwarded-port", str(listener.port).encode()),
        ]
        framed = any(name == b"content-length" for name, _ in own) or any(name == b"transfer-encoding" for name, _ in scope["headers"])
        request = httpx.Request(scope["method"], url, headers=own, content=_body(receive) if framed else None)
        request.extensions = {"timeout": httpx.Timeout(listener.idle, connect=10).as_dict()}
        started = False
        try:
            answer = await self._client.send(request, stream=True)
            try:
                started = True
                await send({"type": "http.response.start", "status": answer.status_code, "headers": _back(answer.headers.raw)})
                async for piece in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await answer.aclose()
        except (httpx.TimeoutException, httpx.TransportError) as error:
            if started:
                # The head is out: all that is left is to break the connection, which the server does on an exception.
                raise ConnectionError(str(error)) from None
            await _say(send, 504 if isinstance(error, httpx.TimeoutException) else 502)

    async def close(self) -> None:
        """Close the connections to targets."""
        await self._client.aclose()


async def _body(receive: Any) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


def _admitted(rule: Rule, address: str) -> bool:
    import ipaddress

    seen = ipaddress.ip_address(address)
    return any(seen in network for network in rule.admitted)


def _back(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP]


async def _say(send: Any, status: int) -> None:
    body = f"{status} {_TEXTS[status]}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), (b"server", b"awselb/2.0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
