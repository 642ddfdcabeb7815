"""The toolchain finds what fits, fetches what is missing, and says what failed."""

from __future__ import annotations

import hashlib
import http.server
import io
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.errors import MissingError
from genai_platform.programs import catalog
from genai_platform.programs.catalog import Program
from genai_platform.programs.download import Download
from genai_platform.programs.go_build import GoBuild, locked_version

SCRIPT = "#!/bin/sh\necho tool v{version}\n"


def archive(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("tool", text)
    return content.getvalue()


class Publisher:
    """A release page on loopback: paths to contents."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        files = self.files

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *words: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, version: str, text: str, *, checksum: str | None = None) -> None:
        content = archive(text)
        self.files[f"/{version}/tool.zip"] = content
        digest = checksum or hashlib.sha256(content).hexdigest()
        self.files[f"/{version}/SUMS"] = f"{'0' * 64}  other.zip\n{digest}  tool.zip\n".encode()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    page = Publisher()
    yield page
    page.server.shutdown()
    page.server.server_close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Publisher) -> Path:
    """An empty cache, a PATH of its own, and one program published at version 1.5.2."""
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    source = Download(publisher.url + "/{version}/tool.zip", publisher.url + "/{version}/SUMS", "tool")
    tool = Program("tool", "1.5.2", (source,), ("--version",), (1, 4), "install tool")
    monkeypatch.setitem(catalog.PROGRAMS, "tool", tool)
    return tmp_path


def put_on_path(world: Path, version: str) -> Path:
    program = world / "bin" / "tool"
    program.write_text(SCRIPT.format(version=version))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_a_fitting_program_on_path_is_used(world: Path) -> None:
    program = put_on_path(world, "1.4.0")
    assert catalog.find("tool") == program


def test_one_too_old_is_named_with_its_version_and_what_is_wanted(world: Path) -> None:
    put_on_path(world, "1.3.9")
    with pytest.raises(MissingError, match=r"1\.4 or newer.*is version 1\.3\.9") as error:
        catalog.find("tool")
    assert error.value.remedy == "install tool"
    assert error.value.exit_code == 3


def test_a_missing_program_is_fetched_once_and_is_executable(world: Path, publisher: Publisher) -> None:
    publisher.publish("1.5.2", SCRIPT.format(version="1.5.2"))
    program = catalog.provide("tool")
    assert catalog.version_of(program, ("--version",)) == (1, 5, 2)
    publisher.files.clear()
    assert catalog.provide("tool") == program


def test_a_wrong_checksum_is_refused_and_leaves_nothing(world: Path, publisher: Publisher) -> None:
    publisher.publish("1.5.2", "tampered", checksum="1" * 64)
    with pytest.raises(MissingError, match="checksum is not the published one"):
        catalog.provide("tool")
    assert not list((world / "cache").rglob("tool"))


def test_every_source_is_tried_and_what_failed_is_said(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world / "bin"))
    tool = catalog.PROGRAMS["tool"]
    both = Program("tool", tool.version, (*tool.sources, GoBuild("kubernetes", "./etcd", 1)), tool.ask, tool.at_least, tool.remedy)
    monkeypatch.setitem(catalog.PROGRAMS, "tool", both)
    with pytest.raises(MissingError, match=r"404.*Go is not installed"):
        catalog.provide("tool")


def test_versions_come_from_the_locked_modules() -> None:
    assert catalog.PROGRAMS["kube-apiserver"].version == locked_version("kubernetes", "k8s.io/kubernetes")
    assert catalog.numbers(catalog.PROGRAMS["helm"].version)[0] == 4


def test_what_stands_on_the_path_and_fits_comes_before_what_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(folder: Path, version: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "helm"
        path.write_text(f"#!/bin/sh\necho v{version}\n")
        path.chmod(0o700)
        return path

    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    fetched = program(tmp_path / "cache" / "programs" / f"helm-{catalog.PROGRAMS['helm'].version}", catalog.PROGRAMS["helm"].version)
    assert catalog.find("helm") == fetched
    program(tmp_path / "bin", "3.2.1")
    assert catalog.find("helm") == fetched, "one that is too old does not count"
    program(tmp_path / "bin", "4.9.0")
    assert catalog.find("helm") == tmp_path / "bin" / "helm"
