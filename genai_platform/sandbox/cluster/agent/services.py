"""Services: each cluster address becomes a listener that passes connections on to ready pods, in turn.

As in a cluster, a service without a ready pod refuses connections: its listener exists only while there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genai_platform.sandbox.cluster.api import Object
from genai_platform.sandbox.cluster.watch import Change, Watch
from genai_platform.sandbox.data.tls_proxy import CHUNK, pump
from genai_platform.sandbox.layout import SandboxLayout

_log = logging.getLogger(__name__)
_CONNECT = 5.0
_SETTLE = 0.02

Address = tuple[str, int]
Routes = dict[Address, tuple[Address, ...]]
"""Where to listen, and where what arrives there goes."""


@dataclass(frozen=True)
class Endpoint:
    """A pod behind a service."""

    address: str
    hostname: str
    ready: bool
    ports: Mapping[str, int]
    """Port numbers by the name of the service's port."""


def endpoints_of(slices: Iterable[Object]) -> list[Endpoint]:
    """The endpoints in a service's slices."""
    found: list[Endpoint] = []
    for item in slices:
        ports = {port.get("name") or "": int(port["port"]) for port in item.get("ports") or () if port.get("port")}
        for endpoint in item.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            found.extend(Endpoint(address, endpoint.get("hostname") or "", ready, ports) for address in endpoint["addresses"])
    return sorted(found, key=lambda e: (e.hostname, e.address))


def routes_of(layout: SandboxLayout, service: Object, endpoints: Iterable[Endpoint]) -> Routes:
    """The listeners of one service that has a cluster address."""
    spec, meta = service["spec"], service["metadata"]
    cluster_ip = spec.get("clusterIP") or "None"
    if cluster_ip == "None":
        return {}
    here = layout.loopback(cluster_ip)
    ready = [endpoint for endpoint in endpoints if endpoint.ready]
    routes: Routes = {}
    for port in spec.get("ports") or ():
        if port.get("protocol", "TCP") != "TCP":
            continue
        if (meta["namespace"], meta["name"]) == ("default", "kubernetes"):
            targets: tuple[Address, ...] = (("127.0.0.1", layout.ports["kubernetes"]),)
        else:
            name = port.get("name") or ""
            targets = tuple((layout.loopback(e.address), e.ports[name]) for e in ready if name in e.ports)
        if targets:
            routes[here, int(port["port"])] = targets
    return routes


def names_of(layout: SandboxLayout, service: Object, endpoints: Iterable[Endpoint]) -> dict[str, str]:
    """Host names of one service: its own, and those of its pods where they have one."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    cluster_ip = service["spec"].get("clusterIP") or "None"
    ready = [endpoint for endpoint in endpoints if endpoint.ready]
    owns = [cluster_ip] if cluster_ip != "None" else [endpoint.address for endpoint in ready[:1]]
    forms = (name, f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")
    names = {form: layout.loopback(own) for own in owns for form in forms}
    for endpoint in ready:
        if endpoint.hostname:
            names.update({f"{endpoint.hostname}.{form}": layout.loopback(endpoint.address) for form in forms})
    return names


class Services(threading.Thread):
    """Follows services and endpoint slices and keeps listeners and host names as they say."""

    services: Watch | None = None
    slices: Watch | None = None

    def __init__(self, layout: SandboxLayout) -> None:
        super().__init__(name="services", daemon=True)
        self._layout = layout
        self._loop = asyncio.new_event_loop()
        self._due = False
        self._routes: Routes = {}
        self._listeners: dict[Address, asyncio.Server] = {}
        self._turns: dict[Address, itertools.count[int]] = {}

    def changed(self, change: Change, item: Object) -> None:
        """A service or a slice changed in the API."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._schedule)

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _schedule(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_later(_SETTLE, lambda: self._loop.create_task(self._apply()))

    async def _apply(self) -> None:
        self._due = False
        if self.services is None or self.slices is None:
            return
        routes: Routes = {}
        names: dict[str, str] = {}
        by_service: dict[tuple[str, str], list[Object]] = {}
        for item in self.slices.objects():
            meta = item["metadata"]
            owner = (meta.get("labels") or {}).get("kubernetes.io/service-name", "")
            by_service.setdefault((meta["namespace"], owner), []).append(item)
        # The short name belongs to the first namespace, and never to "default" while another has it.
        for service in sorted(self.services.objects(), key=lambda s: (s["metadata"]["namespace"] != "default", s["metadata"]["namespace"])):
            meta = service["metadata"]
            endpoints = endpoints_of(by_service.get((meta["namespace"], meta["name"]), ()))
            routes.update(routes_of(self._layout, service, endpoints))
            names.update(names_of(self._layout, service, endpoints))
        self._layout.publish_hosts("services", names)
        await self._listen(routes)

    async def _listen(self, routes: Routes) -> None:
        for address in [address for address in self._listeners if address not in routes]:
            self._listeners.pop(address).close()
        self._routes = routes
        for address in routes:
            if address not in self._listeners:
                self._turns[address] = itertools.count()
                try:
                    self._listeners[address] = await asyncio.start_server(self._handler(address), *address, limit=CHUNK)
                except OSError as error:
                    _log.warning("cannot listen on %s:%s: %s", *address, error)

    def _handler(self, address: Address):  # type: ignore[no-untyped-def]
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await self._connect(address)
                if there is not None:
                    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)
                    there[1].close()
            finally:
                writer.close()

        return serve

    async def _connect(self, address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """To the next pod in turn, or to the one after when it does not answer."""
        targets = self._routes.get(address, ())
        first = next(self._turns[address])
        for offset in range(len(targets)):
            target = targets[(first + offset) % len(targets)]
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(*target, limit=CHUNK), _CONNECT)
        return None
