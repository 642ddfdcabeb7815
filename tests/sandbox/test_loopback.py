"""While it works on a sandbox, this process opens no connection to another machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from genai_platform.errors import StepError
from genai_platform.sandbox import loopback


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:3128")
    loopback.close()
    yield
    loopback.reopen()


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0), ("::ffff:192.0.2.1", 443, 0, 0)])
def test_other_machines_are_refused_by_name(closed: None, address: tuple[object, ...]) -> None:
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(StepError, match=str(address[0])):
        sock.connect(address)


def test_libraries_are_refused_too(closed: None) -> None:
    import httpx

    with pytest.raises(StepError, match=r"192\.0\.2\.1:80"):
        httpx.get("http://192.0.2.1/", timeout=2)


def test_this_machine_is_reached(closed: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        pass


def test_no_proxy_is_passed_on(closed: None) -> None:
    assert not {name for name in os.environ if name.upper().endswith("_PROXY")} - {"NO_PROXY", "no_proxy"}


def test_it_can_be_opened_again(closed: None) -> None:
    loopback.reopen()
    with socket.socket() as sock:
        sock.settimeout(0.01)
        with pytest.raises(OSError):  # noqa: PT011 - whatever the network says, the hook did not
            sock.connect(("192.0.2.1", 9))
