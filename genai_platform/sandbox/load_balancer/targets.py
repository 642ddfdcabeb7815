"""The targets of the load balancers: registered, checked, used, drained. Late, as the real ones are.

A target gets requests after its first passed health check (until then it is ``initial``), and goes on getting them for a
while after its pod has ended. Where every registered target is unhealthy, all of them get requests (fail open), as
described in the user guide for Application Load Balancers, "Health checks for target groups".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import ssl
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Literal

import httpcore
import httpx

from genai_platform.sandbox.load_balancer.routes import HealthCheck, Listener
from genai_platform.sandbox.pace import TARGET_DEREGISTRATION, TARGET_DRAINING, TARGET_REGISTRATION, Duration, Pace

log = logging.getLogger("load-balancer")

Health = Literal["initial", "healthy", "unhealthy", "draining"]
_THRESHOLD = 2
"""Equal results in a row after which a target's health changes: the controller's default for both. For the first time one will do."""
_TIMEOUT = 5.0
"""Seconds a health check waits for its answer: the controller's default."""
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Targets are asked by plain HTTP: no client needs to read every authority the system trusts, which takes longer than a request."""


class Target:
    """One pod in one target group, with the load balancer's connections to it.

    Args:
        url: where it listens on this machine.
        check: how its health is looked at.
        idle: seconds that a connection on which nothing passes is kept.
        pace: how late everything is.
    """

    def __init__(self, url: str, check: HealthCheck, idle: float, pace: Pace) -> None:
        self.url, self.health = url, "initial"
        self.client = httpx.AsyncClient(transport=_Transport(idle), follow_redirects=False)
        self._check, self._pace = check, pace
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()

    health: Health

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While a request is with it."""
        self._requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    async def watch(self) -> None:
        """Register it, then check its health until stopped."""
        await asyncio.sleep(self._pace.of(TARGET_REGISTRATION))
        interval = Duration(self._check.interval, "healthcheck-interval-seconds")
        once = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(trust_env=False, verify=_PLAIN, timeout=_TIMEOUT, limits=once) as client:
            row, last = 0, False
            while True:
                passed = await self._passes(client)
                row, last = (row + 1 if passed == last else 1), passed
                if row >= _THRESHOLD or (passed and self.health == "initial"):
                    self._becomes("healthy" if passed else "unhealthy")
                # What is healthy is looked at as seldom as it says: at the sandbox's pace that would be a load of its own.
                await asyncio.sleep(interval.seconds if self.health == "healthy" and passed else self._pace.of(interval))

    async def leave(self) -> None:
        """Deregister it: it gets requests for a while, then none; what is under way may end."""
        await asyncio.sleep(self._pace.of(TARGET_DEREGISTRATION))
        self._becomes("draining")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._pace.of(TARGET_DRAINING))
        await self.client.aclose()

    async def _passes(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}{self._check.path}")).status_code == 200
        except httpx.HTTPError:
            return False

    def _becomes(self, health: Health) -> None:
        if health != self.health:
            log.info("target %s: %s, was %s", self.url, health, self.health)
            self.health = health


class Targets:
    """The targets of every target group, kept as the listeners' rules say.

    Args:
        reach: where a 10.N.x.y address listens on this machine.
        pace: how late everything is.
    """

    def __init__(self, reach: Callable[[str], str], pace: Pace) -> None:
        self._reach, self._pace = reach, pace
        self._groups: dict[str, dict[tuple[str, int], tuple[Target, asyncio.Task[None]]]] = {}
        self._leaving: dict[asyncio.Task[None], tuple[str, Target]] = {}
        self._made: dict[str, tuple[HealthCheck, float]] = {}
        self._turn = itertools.count()

    def set(self, listeners: Sequence[Listener]) -> None:
        """Register what the rules name and is not registered, deregister what they do not name."""
        wanted = {rule.group.name: (rule.group, listener.idle) for listener in listeners for rule in listener.rules}
        for name in [name for name in self._groups if name not in wanted or self._made[name] != (wanted[name][0].check, wanted[name][1])]:
            # A group that is removed, or replaced by one with other properties, waits for nothing.
            for target, watching in self._groups.pop(name).values():
                watching.cancel()
                target.health = "draining"
                self._start(name, target, target.client.aclose())
        for name, (group, idle) in wanted.items():
            self._made[name] = (group.check, idle)
            there = self._groups.setdefault(name, {})
            for address in [address for address in there if address not in group.targets]:
                target, watching = there.pop(address)
                watching.cancel()
                self._start(name, target, target.leave())
            for address in group.targets:
                if address not in there:
                    target = Target(f"http://{self._reach(address[0])}:{address[1]}", group.check, idle, self._pace)
                    there[address] = (target, asyncio.create_task(target.watch()))

    def choose(self, name: str) -> Target | None:
        """The next target of a group in turn; ``None`` when there is none that serves."""
        registered = [target for target, _ in self._groups.get(name, {}).values()]
        known = [*registered, *(target for group, target in self._leaving.values() if group == name)]
        serving = [target for target in known if target.health == "healthy"]
        if not serving and registered and all(target.health == "unhealthy" for target in registered):
            serving = registered
        return serving[next(self._turn) % len(serving)] if serving else None

    def _start(self, name: str, target: Target, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving[task] = (name, target)
        task.add_done_callback(lambda done: self._leaving.pop(done, None))

    async def close(self) -> None:
        """Forget every target."""
        targets = [(target, task) for there in self._groups.values() for target, task in there.values()]
        targets += [(target, task) for task, (_, target) in self._leaving.items()]
        self._groups.clear()
        for target, task in targets:
            task.cancel()
            with contextlib.suppress(Exception):
                await target.client.aclose()
        await asyncio.gather(*(task for _, task in targets), return_exceptions=True)


class _Transport(httpx.AsyncHTTPTransport):
    """Connections are used again until they were idle for the load balancer's own time, whatever the target did meanwhile.

    A request on one that the target has closed is lost, and answered with 502. A real load balancer meets this when the end of
    the connection and the request cross; here it meets it each time.
    """

    def __init__(self, idle: float) -> None:
        super().__init__(trust_env=False, verify=_PLAIN)
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=idle, network_backend=_Unaware()
        )


class _Unaware(httpcore.AsyncNetworkBackend):
    """Connections that do not see that the other side has closed."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(self, *positional: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._backend.connect_tcp(*positional, **named))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return False if info == "is_readable" else self._stream.get_extra_info(info)
