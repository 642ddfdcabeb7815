"""The front with real sockets: it routes, encrypts, streams, refuses, and keeps up with its objects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from typing import Any

import httpx
import pytest
import trustme

from genai_platform.sandbox.door.controller import Controller
from genai_platform.sandbox.door.listeners import Listeners
from genai_platform.sandbox.door.routes import FINALIZER, Cluster, groups

from .objects import cluster, ingress, service, slice_of


def free_port() -> int:
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Backend:
    """A web server that tells what it got, and streams when asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.go_on = asyncio.Event()

    async def __aenter__(self) -> Backend:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in head.split("\r\n")[1:] if ":" in line}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                target = head.split()[1]
                if target.startswith("/stream"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
                    await writer.drain()
                    await self.go_on.wait()
                    writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
                elif target.startswith("/drop"):
                    writer.close()
                    return
                else:
                    text = json.dumps({"target": target, "headers": headers, "body": body.decode()}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(text) + text)
                await writer.drain()


@contextlib.asynccontextmanager
async def opened(given: Cluster, certificate: Any = None):
    listeners = Listeners(certificate or (lambda arn: 1 / 0), lambda address: "127.0.0.1")
    try:
        found, wrong = groups(given)
        assert wrong == {}
        yield listeners, await listeners.set([one for group in found for one in group.listeners])
    finally:
        await listeners.close()


async def started(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the port never opened")


def plain(port: int, backend: int, **change: Any) -> Cluster:
    return cluster(ingress("litellm", port, tls=False, **change), slices=[slice_of("litellm", "10.7.0.5", backend)])


def client(**options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, **options)


def test_a_request_passes_with_body_query_and_the_callers_address():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)) as (_, wrong), client() as http:
            assert wrong == {}
            await started(port)
            answer = await http.post(f"http://127.0.0.1:{port}/v1/a%20b?q=%E6%9D%B1", content="日本の首都".encode())
            seen = answer.json()
            assert seen["target"] == "/v1/a%20b?q=%E6%9D%B1"
            assert seen["body"] == "日本の首都"
            assert seen["headers"]["host"] == f"127.0.0.1:{port}"
            assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
            assert (seen["headers"]["x-forwarded-proto"], seen["headers"]["x-forwarded-port"]) == ("http", str(port))

    asyncio.run(scenario())


def test_a_stream_arrives_while_it_is_still_being_made():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)), client() as http:
            await started(port)
            async with http.stream("GET", f"http://127.0.0.1:{port}/stream") as answer:
                pieces = answer.aiter_bytes()
                assert await anext(pieces) == b"one"
                backend.go_on.set()  # only now does the rest exist
                assert b"".join([piece async for piece in pieces]) == b"two"

    asyncio.run(scenario())


@pytest.mark.parametrize(("change", "status"), [({}, 503), ({"path": "/only"}, 404)])
def test_without_target_503_and_without_rule_404(change, status):
    async def scenario() -> None:
        port = free_port()
        given = cluster(ingress("litellm", port, tls=False, **change), slices=[])
        async with opened(given), client() as http:
            await started(port)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == status

    asyncio.run(scenario())


def test_a_target_that_drops_the_connection_is_a_502():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)), client() as http:
            await started(port)
            assert (await http.get(f"http://127.0.0.1:{port}/drop")).status_code == 502
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200

    asyncio.run(scenario())


def test_who_is_not_admitted_gets_no_connection():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port, cidrs="192.0.2.0/24")), client() as http:
            await started(port)
            with pytest.raises(httpx.TransportError):
                await http.get(f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


def test_tls_with_the_certificate_of_the_class_and_clear_text_is_refused(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def scenario() -> None:
        port = free_port()
        given = cluster(ingress("litellm", port), slices=[])
        async with opened(given, lambda arn: (tmp_path / "pem", tmp_path / "key")) as (_, wrong), client(verify=context) as http:
            assert wrong == {}
            await started(port)
            assert (await http.get(f"https://localhost:{port}/")).status_code == 503
            with pytest.raises(httpx.TransportError):
                await http.get(f"http://localhost:{port}/")

    asyncio.run(scenario())


def test_rules_change_while_the_port_stays_open():
    async def scenario() -> None:
        port = free_port()
        empty = cluster(ingress("litellm", port, tls=False), slices=[])
        async with Backend() as backend, opened(empty) as (listeners, _), client() as http:
            await started(port)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 503
            found, _ = groups(plain(port, backend.port))
            await listeners.set(found[0].listeners)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200
            await listeners.set([])
            with pytest.raises(httpx.TransportError):
                await http.get(f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


class Api:
    """Takes the controller's patches and events."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.events: list[str] = []
        self.client = httpx.AsyncClient(base_url="http://kubernetes", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.method == "POST":
            self.events.append(body["message"])
        else:
            self.patches.append((request.url.path.rsplit("/genai-platform/", 1)[1], body))
        return httpx.Response(200, json={})


class Balancers:
    def __init__(self, *faults: Exception) -> None:
        self.there: set[str] = set()
        self.faults = list(faults)

    def ensure(self, group: Any) -> str:
        if self.faults:
            raise self.faults.pop()
        self.there.add(group.name)
        return "localhost"

    def remove(self, name: str) -> None:
        self.there.discard(name)


def test_an_ingress_is_held_served_and_given_its_address_then_released_after_its_load_balancer():
    async def scenario() -> None:
        api, balancers = Api(), Balancers()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        one = ingress("litellm", free_port(), tls=False)
        try:
            assert await controller.turn(cluster(one))
            assert api.patches[0][1]["metadata"]["finalizers"] == [FINALIZER]
            assert api.patches[1] == ("ingresses/litellm/status", {"status": {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}})
            assert balancers.there == {"genai"}
            api.patches.clear()
            one["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "now"}
            assert await controller.turn(cluster(one))
            assert balancers.there == set()
            assert api.patches[0][1]["metadata"]["finalizers"] == []
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_the_load_balancer_stays_while_another_ingress_needs_it():
    async def scenario() -> None:
        api, balancers = Api(), Balancers()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        one, other = ingress("litellm", free_port(), tls=False), ingress("langfuse", free_port(), tls=False)
        try:
            await controller.turn(cluster(one, other))
            one["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "now"}
            await controller.turn(cluster(one, other))
            assert balancers.there == {"genai"}
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_what_goes_wrong_is_told_once_and_tried_again():
    async def scenario() -> None:
        api, balancers = Api(), Balancers(LookupError("EKS has no cluster"), LookupError("EKS has no cluster"))
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        given = cluster(ingress("litellm", free_port(), tls=False), services=[service("litellm", 4000)])
        try:
            assert not await controller.turn(given)
            assert not await controller.turn(given)
            assert api.events == ["EKS has no cluster"]
            assert await controller.turn(given)
            assert any(path.endswith("/status") for path, _ in api.patches)
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_no_address_is_published_while_the_certificate_cannot_be_had():
    async def scenario() -> None:
        api = Api()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, Balancers())
        try:
            assert not await controller.turn(cluster(ingress("litellm", free_port())))
            assert "certificate" in api.events[0]
            assert not any(path.endswith("/status") for path, _ in api.patches)
        finally:
            await listeners.close()

    asyncio.run(scenario())
