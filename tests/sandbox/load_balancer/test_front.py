"""The front with real sockets: it checks its targets, routes, encrypts, streams, refuses, and keeps up with its objects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import Any

import httpx
import pytest
import trustme

from genai_platform.sandbox.load_balancer.listeners import Listeners
from genai_platform.sandbox.load_balancer.routes import Cluster, groups
from genai_platform.sandbox.pace import Pace
from tests.ports import free_port

from .objects import cluster, ingress, params, slice_of

PACE = Pace(0.002)


class Backend:
    """A web server that tells what it got, and streams when asked.

    Args:
        keeps: seconds it keeps a connection on which nothing passes; default: for ever.
    """

    def __init__(self, keeps: float | None = None) -> None:
        self.port = free_port()
        self.keeps = keeps
        self.healthy = True
        self.checked = asyncio.Event()
        self.checked.set()
        self.connections = 0
        self.go_on = asyncio.Event()

    async def __aenter__(self) -> Backend:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError), contextlib.closing(writer):
            while True:
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.keeps)).decode()
                headers = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in head.split("\r\n")[1:] if ":" in line}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                target = head.split()[1]
                if target == "/healthy":
                    self.connections -= 1
                    await self.checked.wait()
                    writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % (200 if self.healthy else 500))
                    return
                elif target.startswith("/stream"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
                    await writer.drain()
                    await self.go_on.wait()
                    writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
                elif target.startswith("/drop"):
                    return
                else:
                    text = json.dumps({"port": self.port, "target": target, "headers": headers, "body": body.decode()}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(text) + text)
                await writer.drain()


@contextlib.asynccontextmanager
async def opened(given: Cluster, certificate: Any = None, pace: Pace = PACE):
    listeners = Listeners(certificate or (lambda arn: 1 / 0), lambda address: "127.0.0.1", pace=pace)
    try:
        found, wrong = groups(given)
        assert wrong == {}
        yield listeners, await listeners.set([one for group in found for one in group.listeners])
    finally:
        await listeners.close()


async def change(listeners: Listeners, given: Cluster) -> None:
    await listeners.set([one for group in groups(given)[0] for one in group.listeners])


async def serves(http: httpx.AsyncClient, port: int) -> None:
    """Wait until a target is healthy."""
    await started(port)
    for _ in range(500):
        if (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no target became healthy")


def answered(head: bytes, writer: asyncio.StreamWriter) -> bool:
    """Whether it was a health check, which is answered then."""
    if not head.startswith(b"GET /healthy"):
        return False
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    writer.close()
    return True


async def healthy(listeners: Listeners, name: str = "genai-platform/litellm litellm:4000") -> None:
    """Wait until a target would be chosen."""
    for _ in range(500):
        if listeners._targets.choose(name):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no target became healthy")


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
            await serves(http, port)
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
            await serves(http, port)
            async with http.stream("GET", f"http://127.0.0.1:{port}/stream") as answer:
                pieces = answer.aiter_bytes()
                assert await anext(pieces) == b"one"
                backend.go_on.set()  # only now does the rest exist
                assert b"".join([piece async for piece in pieces]) == b"two"

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_leaves_ends_the_request_to_the_target_too(method):
    async def scenario() -> None:
        port, ended = free_port(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if answered(await reader.readuntil(b"\r\n\r\n"), writer):
                return
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
            await writer.drain()
            while await reader.read(1024):
                pass
            ended.set()
            writer.close()

        target = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with target, opened(plain(port, target.sockets[0].getsockname()[1])) as (listeners, _), client() as http:
            await started(port)
            await healthy(listeners)
            async with http.stream(method, f"http://127.0.0.1:{port}/", content=b"question" if method == "POST" else None) as answer:
                assert await anext(answer.aiter_bytes()) == b"one"
                assert not ended.is_set()
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(scenario())


def test_a_client_that_leaves_while_it_sends_reaches_nobody_as_a_whole_request():
    async def scenario() -> None:
        port, seen = free_port(), asyncio.Queue()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            if answered(head, writer):
                return
            seen.put_nowait(await reader.readuntil(b"half"))
            seen.put_nowait(await reader.read())
            writer.close()

        target = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with target, opened(plain(port, target.sockets[0].getsockname()[1])) as (listeners, _):
            await started(port)
            await healthy(listeners)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            await writer.drain()
            await asyncio.wait_for(seen.get(), 10)
            writer.close()
            assert b"0\r\n" not in await asyncio.wait_for(seen.get(), 10), "the end of the body was never said"

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
            await serves(http, port)
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
            await change(listeners, plain(port, backend.port))
            await serves(http, port)
            await listeners.set([])
            with pytest.raises(httpx.TransportError):
                await http.get(f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


def several(port: int, *backends: int, idle: int = 600) -> Cluster:
    slices = [slice_of("litellm", f"10.7.0.{5 + number}", backend, name="") for number, backend in enumerate(backends)]
    return cluster(ingress("litellm", port, tls=False), slices=slices, parameters=[params(idle=idle)])


def test_a_target_gets_nothing_until_a_health_check_has_passed():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)) as _, client() as http:
            backend.checked.clear()
            await started(port)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 503
            backend.checked.set()
            await serves(http, port)

    asyncio.run(scenario())


def test_a_new_target_waits_for_its_check_and_an_old_one_is_used_for_a_while_after_it_ended():
    async def scenario() -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        given = plain(port, (old := Backend()).port)
        async with old, Backend() as new, opened(given, pace=Pace(0.05)) as (listeners, _), client() as http:
            await serves(http, port)
            new.checked.clear()
            await change(listeners, several(port, old.port, new.port))
            assert {(await http.get(url)).json()["port"] for _ in range(6)} == {old.port}, "a target that is initial gets nothing"
            await change(listeners, several(port))
            assert (await http.get(url)).status_code == 200, "not known everywhere yet: the old one still gets requests"
            while (status := (await http.get(url)).status_code) == 200:
                await asyncio.sleep(0.01)
            assert status == 503

    asyncio.run(scenario())


def test_a_target_that_ends_before_it_is_deregistered_everywhere_is_a_502():
    async def scenario() -> None:
        port = free_port()
        async with opened(cluster(ingress("litellm", port, tls=False), slices=[]), pace=Pace(0.05)) as (listeners, _), client() as http:
            async with Backend() as backend:
                await change(listeners, plain(port, backend.port))
                await serves(http, port)
            await change(listeners, several(port))
            statuses = set()
            for _ in range(500):
                statuses.add((await http.get(f"http://127.0.0.1:{port}/drop")).status_code)
                if 503 in statuses:
                    break
                await asyncio.sleep(0.01)
            assert statuses == {502, 503}

    asyncio.run(scenario())


def test_a_request_under_way_ends_in_peace_on_a_target_that_is_drained():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)) as (listeners, _), client() as http:
            await serves(http, port)
            async with http.stream("GET", f"http://127.0.0.1:{port}/stream") as answer:
                pieces = answer.aiter_bytes()
                assert await anext(pieces) == b"one"
                await change(listeners, several(port))
                while (await http.get(f"http://127.0.0.1:{port}/")).status_code != 503:
                    await asyncio.sleep(0.01)
                backend.go_on.set()
                assert b"".join([piece async for piece in pieces]) == b"two"

    asyncio.run(scenario())


@pytest.mark.parametrize(("keeps", "status"), [(0.2, 502), (5.0, 200)])
def test_a_target_that_gives_up_idle_connections_before_the_load_balancer_does_is_a_502(keeps, status):
    async def scenario() -> None:
        port = free_port()
        async with Backend(keeps) as backend, opened(several(port, backend.port, idle=3)), client() as http:
            await serves(http, port)
            await asyncio.sleep(0.6)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == status

    asyncio.run(scenario())


def test_a_connection_idle_for_the_load_balancers_whole_time_is_not_used_again():
    async def scenario() -> None:
        port = free_port()
        async with Backend(1.5) as backend, opened(several(port, backend.port, idle=1)), client() as http:
            await serves(http, port)
            before = backend.connections
            await asyncio.sleep(1.6)
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200
            assert backend.connections == before + 1

    asyncio.run(scenario())


def test_where_all_targets_are_unhealthy_all_get_requests():
    async def scenario() -> None:
        port = free_port()
        async with Backend() as backend, opened(plain(port, backend.port)), client() as http:
            backend.healthy = False
            await serves(http, port)

    asyncio.run(scenario())
