"""The sockets of the load balancers: opened, changed and closed as the listeners say."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genai_platform.sandbox.load_balancer.forward import Forward
from genai_platform.sandbox.load_balancer.routes import Listener
from genai_platform.sandbox.load_balancer.targets import Targets
from genai_platform.sandbox.pace import Pace

log = logging.getLogger("load-balancer")

Certificate = tuple[Path, Path]


class _Server(uvicorn.Server):
    """A server among others in one process: signals are the process's affair.

    It waits for its end where uvicorn's own looks ten times a second whether it has come.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        await self.ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Open:
    """One open port."""

    def __init__(self, listener: Listener, certificate: Certificate | None, targets: Targets, address: str) -> None:
        self.listener = listener
        self.certificate = certificate
        outer = self

        class Guarded(H11Protocol):
            # A source that is not admitted gets no connection at all, as behind a security group.
            def connection_made(self, transport: Any) -> None:
                peer = transport.get_extra_info("peername")
                if peer and not outer.listener.admits(peer[0]):
                    transport.abort()
                    return
                super().connection_made(transport)

            def data_received(self, data: bytes) -> None:
                if self.transport is not None and not self.transport.is_closing():
                    super().data_received(data)

            def connection_lost(self, exc: Exception | None) -> None:
                if self.transport is not None:
                    super().connection_lost(exc)

        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, listener.port))
        cert, key = certificate or (None, None)
        config = uvicorn.Config(
            Forward(lambda: self.listener, targets), http=Guarded, ws="none", lifespan="off", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=int(listener.idle),
            timeout_graceful_shutdown=1, ssl_certfile=cert, ssl_keyfile=key,
        )  # fmt: skip
        self.server = _Server(config)
        self.task = asyncio.create_task(self.server.serve(sockets=[self.socket]))

    async def close(self) -> None:
        self.server.ending.set()
        with contextlib.suppress(asyncio.TimeoutError, Exception):
            await asyncio.wait_for(self.task, 5)
        self.socket.close()


class Listeners:
    """All open ports of the sandbox's load balancers.

    Args:
        certificate: the files of a certificate by its ARN.
        reach: where a 10.N.x.y address listens on this machine.
        address: the address to listen on.
        pace: how late targets are registered, checked and deregistered.
    """

    def __init__(
        self,
        certificate: Callable[[str], Certificate],
        reach: Callable[[str], str],
        address: str = "127.0.0.1",
        pace: Pace = Pace(),  # noqa: B008 - immutable
    ) -> None:
        self._certificate, self._address = certificate, address
        self._targets = Targets(reach, pace)
        self._open: dict[int, _Open] = {}

    async def set(self, wanted: Sequence[Listener]) -> Mapping[int, str]:
        """Make the open ports what is wanted; what could not be opened is answered with its reason and tried again next time."""
        wrong: dict[int, str] = {}
        ports = {listener.port: listener for listener in wanted}
        self._targets.set(wanted)
        for port in [port for port in self._open if port not in ports]:
            await self._open.pop(port).close()
        for port, listener in ports.items():
            try:
                certificate = await asyncio.to_thread(self._certificate, listener.certificates[0]) if listener.certificates else None
            except Exception as error:
                wrong[port] = f"no certificate for port {port}: {error}"
                continue
            there = self._open.get(port)
            if there and (there.certificate, there.listener.idle, there.task.done()) != (certificate, listener.idle, False):
                await self._open.pop(port).close()
                there = None
            if there:
                there.listener = listener
                continue
            try:
                self._open[port] = _Open(listener, certificate, self._targets, self._address)
            except OSError as error:
                wrong[port] = f"port {port} cannot be opened: {error.strerror}"
        return wrong

    async def close(self) -> None:
        """Close every port."""
        await self.set(())
        await self._targets.close()
