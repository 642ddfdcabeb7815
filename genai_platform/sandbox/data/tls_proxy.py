"""TLS in front of engines that were built without it: a listener per engine, pumping bytes to its Unix socket.

All fronts share one event loop in one thread of this process and end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

CHUNK = 1 << 16

Greeting = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes | None]]
"""Speaks to a client until it may be connected; answers the first bytes for the engine, or None to hang up."""


class Front:
    """One listener. Made by ``Fronts.open``."""

    def __init__(self, socket_file: Path, greeting: Greeting | None) -> None:
        # A folder's descriptor keeps the path short: a socket's path may have 107 bytes only.
        self._folder = os.open(socket_file.parent, os.O_PATH | os.O_DIRECTORY)
        self._path = f"/proc/self/fd/{self._folder}/{socket_file.name}"
        self._greeting = greeting
        self._clients: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            first = b"" if self._greeting is None else await self._greeting(reader, writer)
            if first is not None:
                await self._join(reader, writer, first)
        except (OSError, EOFError):
            pass  # the client or the engine went away, or the client did not want our certificate
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(self._path)
        engine_writer.write(first)
        ways = [asyncio.create_task(pump(reader, engine_writer)), asyncio.create_task(pump(engine_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            # What the engine said last (an error before it hangs up) still goes out.
            await asyncio.wait(ways, timeout=1)
        finally:
            for way in ways:
                way.cancel()
            engine_writer.close()

    async def close(self) -> None:
        self.server.close()
        for writer in list(self._clients):
            writer.close()
        with contextlib.suppress(OSError):
            os.close(self._folder)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until its sender has finished, and tell so; where one side broke off, so does the other."""
    try:
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


class Fronts:
    """The event loop all fronts share."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        threading.Thread(target=self._loop.run_forever, name="engine-fronts", daemon=True).start()

    def open(self, address: str, port: int, socket_file: Path, tls: ssl.SSLContext | None, greeting: Greeting | None) -> Callable[[], None]:
        """Listen, and answer a function that closes.

        With ``greeting`` the listener is plain and the greeting starts TLS itself.

        Raises:
            OSError: the address is taken.
        """

        async def start() -> Front:
            front = Front(socket_file, greeting)
            front.server = await asyncio.start_server(front.serve, address, port, ssl=tls if greeting is None else None)
            return front

        front = asyncio.run_coroutine_threadsafe(start(), self._loop).result(20)
        return lambda: asyncio.run_coroutine_threadsafe(front.close(), self._loop).result(20)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer with one certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
