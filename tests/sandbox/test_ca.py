"""The sandbox's authority: what it issues is trusted through its bundle, and nothing is made twice."""

from __future__ import annotations

import contextlib
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from genai_platform.sandbox import ca
from genai_platform.sandbox.layout import SandboxLayout


@pytest.fixture
def layout(tmp_path: Path) -> SandboxLayout:
    return SandboxLayout.create(tmp_path / "world", "sandbox")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object]:
    """One TLS connection; the certificate the server saw from its client."""
    near, far = socket.socketpair()
    seen: dict[str, object] = {}

    def accept() -> None:
        with contextlib.suppress(ssl.SSLError), server.wrap_socket(far, server_side=True) as wrapped:
            seen.update(wrapped.getpeercert() or {})
            wrapped.recv(1)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as wrapped:
            wrapped.send(b".")
    finally:
        near.close()
        thread.join(5)
    return seen


def test_a_server_is_trusted_for_its_names_only(layout: SandboxLayout) -> None:
    issued = ca.issue(layout, ["db.example.com", "*.db.test", "127.0.0.1"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued.cert, issued.key)
    for name in ("db.example.com", "web.db.test", "127.0.0.1"):
        handshake(server, ssl.create_default_context(cafile=str(ca.bundle(layout))), name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl.create_default_context(cafile=str(layout.ca_file)), "other.example.com")


def test_a_user_certificate_names_user_and_group(layout: SandboxLayout) -> None:
    issued, own = ca.issue_user(layout, "somebody", "system:masters"), ca.issue(layout, ["localhost"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(layout.ca_file))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(own.cert, own.key)
    client = ssl.create_default_context(cafile=str(layout.ca_file))
    client.load_cert_chain(issued.cert, issued.key)
    subject = dict(pair[0] for pair in handshake(server, client, "localhost")["subject"])  # type: ignore[attr-defined]
    assert (subject["commonName"], subject["organizationName"]) == ("somebody", "system:masters")


def test_the_same_names_give_the_same_files_and_the_authority_stays(layout: SandboxLayout) -> None:
    first = ca.issue(layout, ["a.test", "b.test"])
    content, authority = first.cert.read_bytes(), layout.ca_file.read_bytes()
    again = ca.issue(SandboxLayout.open(layout.root), ["b.test", "a.test"])
    assert ca.issue(layout, ["c.test"]) != first
    assert layout.ca_file.read_bytes() == authority
    assert ca.issue(layout, ["a.test", "b.test"]).cert.read_bytes() == content
    assert again.cert.exists()


def test_keys_are_for_their_owner_only(layout: SandboxLayout) -> None:
    issued = ca.issue(layout, ["a.test"])
    for file in (issued.key, layout.root / "ca" / "ca.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_bundle_keeps_the_systems_authorities(layout: SandboxLayout) -> None:
    ca.authority(layout)
    text = ca.bundle(layout).read_text()
    assert text.count("BEGIN CERTIFICATE") > 10
    assert layout.ca_file.read_text() in text


def test_many_at_once_agree_on_one_authority(layout: SandboxLayout) -> None:
    threads = [threading.Thread(target=ca.issue, args=(layout, [f"n{i % 2}.test"])) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    assert len(context.get_ca_certs()) == 1
    assert len(list((layout.root / "ca" / "issued").glob("*.pem"))) == 2
