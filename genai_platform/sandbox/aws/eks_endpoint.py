"""The endpoint of the cluster in EKS, in front of the API server: its name, its port and its admission come late, one by one.

EKS says ACTIVE before all three. While there is no cluster, and until the name exists, the kubeconfig that everybody gets
leads to a name that no resolver knows; then connections are refused; then every request is answered 401; from then on
bytes are passed on, so TLS, client certificates, watches and streams are the API server's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.control_plane import ADMIN, write_kubeconfig
from genai_platform.sandbox.data.tls_proxy import pump, server_context
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import EKS_ACCESS_ENTRY, EKS_ENDPOINT_LISTENS, EKS_ENDPOINT_NAME

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_STATUS = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized",
    "code": 401,
}  # fmt: skip
_BODY = json.dumps(_STATUS).encode()
_HEAD = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(_BODY)


class Endpoint:
    """One address for the one API server of a sandbox: it is there as long as there is a cluster."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._layout = layout
        self._loop = asyncio.new_event_loop()
        self._life: asyncio.Task[None] | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._publish(None)
        threading.Thread(target=self._loop.run_forever, name="eks-endpoint", daemon=True).start()

    @property
    def address(self) -> str:
        """What EKS says it is."""
        return self._layout.url("endpoint", "https")

    def opened(self, since: float) -> None:
        """A cluster is ACTIVE since then (seconds of the epoch)."""
        self._do(self._open(since))

    def closed(self) -> None:
        """The last cluster is being deleted."""
        self._do(self._close())

    # -- inside -----------------------------------------------------------------------------------
    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _open(self, since: float) -> None:
        if self._life is None:
            self._life = self._loop.create_task(self._live(since))

    async def _close(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
            self._life = None

    async def _live(self, since: float) -> None:
        pace = self._layout.pace
        named = since + pace.of(EKS_ENDPOINT_NAME)
        listening = named + pace.of(EKS_ENDPOINT_LISTENS)
        admitting = listening + pace.of(EKS_ACCESS_ENTRY)
        try:
            await _until(named)
            self._publish(self.address)
            await _until(listening)
            if admitting > time.time():
                tls = server_context(*ca.issue(self._layout, ["eks.sandbox", "localhost", "127.0.0.1"]))
                async with await self._listen(self._refuse, ssl=tls):
                    await _until(admitting)
            async with await self._listen(self._pass_on) as server:
                await server.serve_forever()
        finally:
            for client in list(self._clients):
                client.close()
            self._publish(None)

    async def _listen(self, serve: _Serve, **options: Any) -> asyncio.Server:
        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._clients.add(writer)
            try:
                with contextlib.suppress(OSError, EOFError, ValueError):  # either side went away
                    await serve(reader, writer)
            finally:
                self._clients.discard(writer)
                writer.close()

        return await asyncio.start_server(served, "127.0.0.1", self._layout.ports["endpoint"], **options)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
            await reader.readexactly(int(length[1]))
        writer.write(_HEAD + _BODY)
        await writer.drain()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._layout.ports["kubernetes"])
        ways = [asyncio.create_task(pump(reader, inner_writer)), asyncio.create_task(pump(inner_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(ways, timeout=1)  # what was said last still arrives
        finally:
            for way in ways:
                way.cancel()
            inner_writer.close()

    def _publish(self, address: str | None) -> None:
        nowhere = f"https://endpoint.eks.{self._layout.region}.invalid:{self._layout.ports['endpoint']}"
        write_kubeconfig(self._layout, self._layout.endpoint_kubeconfig, ADMIN, address or nowhere)


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))
