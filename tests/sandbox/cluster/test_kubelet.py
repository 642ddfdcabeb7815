"""Container logs as the API server asks for them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.agent.container import Running
from genai_platform.sandbox.cluster.agent.kubelet import Kubelet
from genai_platform.sandbox.cluster.control_plane import API_SERVER
from genai_platform.sandbox.layout import SandboxLayout


class Pods:
    """One pod with one container."""

    def __init__(self, state: Running) -> None:
        self.state = state

    def find(self, namespace: str, name: str) -> Any:
        return SimpleNamespace(main=[self.state], init=[]) if name == "web-0" else None

    def workers(self) -> list[Any]:
        return []


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENAI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield SandboxLayout.create(tmp_path_factory.mktemp("kubelet") / "world", "sandbox")


@pytest.fixture
def state(tmp_path: Path) -> Running:
    made = Running({"name": "main", "image": "x"}, None, folder=tmp_path)
    made.waits("ContainerCreating")
    return made


@pytest.fixture
def context(layout: SandboxLayout) -> ssl.SSLContext:
    issued = ca.issue_user(layout, *API_SERVER)
    made = ssl.create_default_context(cafile=str(layout.ca_file))
    made.load_cert_chain(issued.cert, issued.key)
    return made


@pytest.fixture
def http(layout: SandboxLayout, state: Running, context: ssl.SSLContext) -> Iterator[httpx.Client]:
    server = Kubelet(layout, Pods(state))  # type: ignore[arg-type]
    with httpx.Client(base_url=layout.url("kubelet", "https"), verify=context, trust_env=False, timeout=5) as client:
        yield client
    server.shutdown()
    server.server_close()


def run(state: Running, text: str, code: int) -> None:
    """One run of the container, from its start to its end."""
    log = state.begin_run()
    state.runs(None)
    log.write([text.encode()])
    log.close()
    state.ended(code)


def logs(http: httpx.Client, **query: str) -> httpx.Response:
    return http.get("/containerLogs/default/web-0/main", params=query)


def test_a_container_that_never_ran_says_what_it_waits_for(http: httpx.Client) -> None:
    answer = logs(http)
    assert (answer.status_code, answer.text) == (400, 'container "main" in pod "web-0" is waiting to start: ContainerCreating')
    assert logs(http, previous="true").status_code == 400


def test_between_two_runs_the_last_one_is_what_there_is(http: httpx.Client, state: Running) -> None:
    run(state, "no such host", 1)
    answer = logs(http, previous="true")
    assert (answer.status_code, answer.text) == (400, 'previous terminated container "main" in pod "web-0" not found')
    state.back_off()
    state.waits("CrashLoopBackOff")
    assert logs(http).text == logs(http, previous="true").text == "no such host\n"
    assert state.restarts == 0


def test_a_restart_is_counted_when_it_begins_and_the_run_before_it_is_the_previous(http: httpx.Client, state: Running) -> None:
    run(state, "first", 1)
    state.back_off()
    run(state, "second", 1)
    assert (state.restarts, logs(http).text, logs(http, previous="true").text) == (1, "second\n", "first\n")
    state.back_off()
    run(state, "third", 1)
    state.back_off()
    run(state, "fourth", 1)
    assert (state.restarts, logs(http).text, logs(http, previous="true").text) == (3, "fourth\n", "third\n")
    assert len(list(state.folder.glob("*.log"))) == 2


def test_the_run_before_is_the_previous_as_soon_as_the_next_one_has_its_log(http: httpx.Client, state: Running) -> None:
    run(state, "first", 1)
    state.back_off()
    state.waits("CrashLoopBackOff")
    state.begin_run().close()
    assert (logs(http).text, logs(http, previous="true").text) == ("", "first\n")


def test_a_follower_gets_lines_as_they_are_written_until_the_run_ends(http: httpx.Client, state: Running) -> None:
    log = state.begin_run()
    log.write([b"one", b"two"])
    state.runs(SimpleNamespace(log=log, pid=1))  # type: ignore[arg-type]
    with http.stream("GET", "/containerLogs/default/web-0/main", params={"follow": "true", "tailLines": "1"}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "two"
        log.write([b"three"])
        assert next(lines) == "three"
        log.close()
        assert list(lines) == []


def test_a_follower_who_left_is_let_go_although_nothing_more_is_written(
    http: httpx.Client, state: Running, layout: SandboxLayout, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genai_platform.sandbox.cluster.agent.process._LISTENING", 0.05)
    log = state.begin_run()
    log.write([b"started"])
    state.runs(SimpleNamespace(log=log, pid=1))  # type: ignore[arg-type]
    before = threading.active_count()
    with (
        socket.create_connection(("127.0.0.1", layout.ports["kubelet"])) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(b"GET /containerLogs/default/web-0/main?follow=true HTTP/1.1\r\nHost: kubelet\r\n\r\n")
        seen = b""
        while b"started" not in seen:
            seen += client.recv(4096)
        assert threading.active_count() == before + 1
    until = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < until
        time.sleep(0.02)
    log.close()


def test_who_has_no_certificate_is_refused(http: httpx.Client, layout: SandboxLayout) -> None:
    nobody = ssl.create_default_context(cafile=str(layout.ca_file))
    with pytest.raises(httpx.TransportError):
        httpx.get(layout.url("kubelet", "https") + "/healthz", verify=nobody, trust_env=False)
