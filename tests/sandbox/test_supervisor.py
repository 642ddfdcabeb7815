"""Parts start in order, are found again, and stop without a trace; shown with tiny programs in place of the real parts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from genai_platform.errors import ConfigError, Interrupted, MissingError, StepError
from genai_platform.sandbox import processes, save, supervisor
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import Kind, ports_of
from genai_platform.sandbox.parts import PartSpec, parts


class Told:
    """Progress that remembers, and asks to stop when told so."""

    def __init__(self, interrupt: bool = False) -> None:
        self.lines: list[str] = []
        self.interrupt = interrupt

    def say(self, text: str) -> None:
        self.lines.append(text)

    def check(self) -> None:
        if self.interrupt and self.lines:
            raise Interrupted


@dataclass
class Fake:
    """A part that is a small Python program; by default a web server."""

    name: str
    port: str | None = "aws"
    kind: Kind = "stand-in"
    version: str = "1"
    program: str = ""
    answers: bool = True
    order: list[str] = field(default_factory=list)

    def prepare(self, layout: SandboxLayout) -> None:
        self.order.append(self.name)
        layout.folder(self.name)

    def argv(self, layout: SandboxLayout) -> list[str]:
        if self.program:
            return [sys.executable, "-c", textwrap.dedent(self.program)]
        assert self.port
        folder = layout.folder(self.name)
        return [sys.executable, "-m", "http.server", str(layout.ports[self.port]), "--bind", "127.0.0.1", "--directory", str(folder)]

    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return {"OWN": "value"}

    def ready(self, layout: SandboxLayout) -> bool:
        if self.program or not self.answers:
            return self.answers
        try:
            with urllib.request.urlopen(layout.url(self.port or ""), timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxLayout]:
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    made = SandboxLayout.create(tmp_path / "sandbox" / "world", "sandbox")
    yield made
    if made.root.exists():
        supervisor.stop(made, [])


def pid_of(layout: SandboxLayout, name: str) -> int:
    found = processes.recorded(layout, name)
    assert found is not None
    return found.pid


def test_parts_wait_for_what_they_need_and_a_second_start_starts_nothing(layout: SandboxLayout) -> None:
    order: list[str] = []
    plan = [PartSpec(Fake("second", "etcd", order=order), ("first",)), PartSpec(Fake("first", "aws", order=order))]
    assert sorted(supervisor.start(layout, Told(), plan)) == ["first", "second"]
    assert order == ["first", "second"]
    assert supervisor.start(layout, Told(), plan) == []
    assert supervisor.running(layout)
    assert [(row.name, row.state, row.port) for row in supervisor.status(layout, plan)] == [
        ("second", "running", layout.ports["etcd"]),
        ("first", "running", layout.ports["aws"]),
    ]


def test_a_stopped_sandbox_leaves_no_process_and_starts_again(layout: SandboxLayout) -> None:
    plan = [PartSpec(Fake("web"))]
    supervisor.start(layout, Told(), plan)
    pid = pid_of(layout, "web")
    assert supervisor.stop(layout, plan) == ["web"]
    assert not psutil.pid_exists(pid)
    assert supervisor.stop(layout, plan) == []
    assert not supervisor.running(layout)
    assert supervisor.start(layout, Told(), plan) == ["web"]


def test_it_outlives_the_command_that_started_it(layout: SandboxLayout) -> None:
    plan = [PartSpec(Fake("web"))]
    supervisor.start(layout, Told(), plan)
    assert os.getsid(pid_of(layout, "web")) == pid_of(layout, "web")


def test_the_environment_is_small_and_clean(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    seen = tmp_path / "seen.json"
    program = f"import json, os, time; open({str(seen)!r}, 'w').write(json.dumps(dict(os.environ))); time.sleep(60)"
    part = Fake("show", None, program=program)
    part.ready = lambda layout: seen.exists() and bool(seen.read_text())  # type: ignore[method-assign]
    supervisor.start(layout, Told(), [PartSpec(part)])
    environment = json.loads(seen.read_text())
    assert environment["OWN"] == "value"
    assert not {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"} & environment.keys()


def test_a_part_that_ends_is_named_with_its_last_words(layout: SandboxLayout) -> None:
    part = Fake("broken", None, program="print('first'); raise SystemExit('cannot open the store')", answers=False)
    with pytest.raises(StepError, match="'broken' ended: cannot open the store") as caught:
        supervisor.start(layout, Told(), [PartSpec(part), PartSpec(Fake("later", "etcd"), ("broken",))])
    assert "broken.log" in caught.value.remedy


def test_a_part_that_does_not_answer_is_named_with_its_last_words(layout: SandboxLayout) -> None:
    part = Fake("mute", None, program="import time; print('still loading', flush=True); time.sleep(60)", answers=False)
    with pytest.raises(StepError, match="'mute' does not answer after 1 s; its last log line: still loading"):
        supervisor.start(layout, Told(), [PartSpec(part)], limit=1)


def test_a_taken_port_is_named_with_its_holder(layout: SandboxLayout) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", layout.ports["aws"]))
        holder.listen()
        with pytest.raises(MissingError, match=rf"port {layout.ports['aws']}.*'web'.*process {os.getpid()}"):
            supervisor.start(layout, Told(), [PartSpec(Fake("web"))])


def test_a_taken_port_is_found_before_anything_is_started(layout: SandboxLayout) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", layout.ports["aws"]))
        holder.listen()
        with pytest.raises(MissingError, match="is taken by"):
            supervisor.start(layout, Told(), [PartSpec(Fake("first", "etcd")), PartSpec(Fake("web"), ("first",))])
    assert not supervisor.running(layout)


def test_every_port_of_a_part_is_looked_at(layout: SandboxLayout) -> None:
    part = Fake("web")
    part.further_ports = ("langfuse",)  # type: ignore[attr-defined]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", layout.ports["langfuse"]))
        holder.listen()
        with pytest.raises(MissingError, match=f"port {layout.ports['langfuse']}"):
            supervisor.start(layout, Told(), [PartSpec(part)])
    assert not supervisor.running(layout)


def test_a_port_that_somebody_has_on_every_address_is_named(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        number = holder.getsockname()[1]
        monkeypatch.setattr(supervisor, "_INSIDE", {number: "PostgreSQL"})
        with pytest.raises(MissingError, match=f"port {number}.*PostgreSQL.*on every address by.*process {os.getpid()}"):
            supervisor.start(layout, Told(), [PartSpec(Fake("node-agent"))])
    assert not supervisor.running(layout)


def test_the_real_parts_name_every_port_of_the_place(layout: SandboxLayout) -> None:
    named = [port for planned in parts(layout) for port in ports_of(planned.part)]
    assert sorted(named) == sorted(layout.ports)


def test_data_engines_are_listed_with_what_they_are(layout: SandboxLayout) -> None:
    records = {"postgres/genai": {"host": "h", "port": 5432, "tls": True, "version": "16.9", "address": "127.1.1.1", "pid": os.getpid()}}
    (layout.folder("data") / "engines.json").write_text(json.dumps(records))
    plan = [PartSpec(Fake("aws"))]
    (row,) = [row for row in supervisor.status(layout, plan) if row.name == "PostgreSQL genai"]
    assert (row.kind, row.version, row.pid, row.port, row.state) == ("real", "16.9", None, 5432, "stopped")
    supervisor.start(layout, Told(), plan)
    (row,) = [row for row in supervisor.status(layout, plan) if row.name == "PostgreSQL genai"]
    assert (row.pid, row.state) == (os.getpid(), "running")


def test_programs_that_run_when_called_are_listed_too(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "terraform"
    program.write_text("#!/bin/sh\necho 'Terraform v1.14.3 on linux'\n")
    program.chmod(0o755)

    def find(name: str) -> Path:
        if name == "terraform":
            return program
        raise MissingError(f"{name} was not found")

    monkeypatch.setattr("genai_platform.programs.find", find)
    rows = {row.name: row for row in supervisor.status(layout)}
    assert (rows["terraform"].kind, rows["terraform"].version, rows["terraform"].state) == ("real", "1.14.3", "installed")
    assert rows["helm"].state == "missing"
    assert rows["etcd"].state == "stopped"


def test_ctrl_c_ends_the_wait_and_the_next_start_goes_on(layout: SandboxLayout) -> None:
    slow = Fake("slow", None, program="import time; time.sleep(60)", answers=False)
    with pytest.raises(Interrupted):
        supervisor.start(layout, Told(interrupt=True), [PartSpec(slow)])
    slow.answers = True
    assert supervisor.start(layout, Told(), [PartSpec(slow)]) == [], "it still ran"


def test_a_process_number_that_belongs_to_another_is_left_alone(layout: SandboxLayout) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        supervisor.start(layout, Told(), [PartSpec(Fake("web"))])
        record = layout.root / "run" / "web.json"
        document = json.loads(record.read_text())
        record.write_text(json.dumps(document | {"pid": other.pid, "began": document["began"] - 1000}))
        assert supervisor.stop(layout, [PartSpec(Fake("web"))]) == []
        assert other.poll() is None
        assert not psutil.pid_exists(document["pid"]), "found by its mark"
    finally:
        other.kill()
        other.wait()


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_what_ignores_the_request_is_killed_with_its_children(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    part = Fake("stubborn", None, program=STUBBORN)
    part.ready = lambda layout: processes.last_line(layout, "stubborn").isdigit()  # type: ignore[method-assign]
    plan = [PartSpec(part)]
    supervisor.start(layout, Told(), plan)
    child = int(processes.last_line(layout, "stubborn"))
    supervisor.stop(layout, plan)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_killed_part_is_started_again(layout: SandboxLayout) -> None:
    plan = [PartSpec(Fake("web")), PartSpec(Fake("other", "etcd"))]
    supervisor.start(layout, Told(), plan)
    killed = psutil.Process(pid_of(layout, "web"))
    killed.kill()
    killed.wait(5)
    assert {row.name: row.state for row in supervisor.status(layout, plan)} == {"web": "ended", "other": "running"}
    assert supervisor.ended(layout, plan) == ["web"]
    assert supervisor.start(layout, Told(), plan) == ["web"]
    supervisor.stop(layout, plan)
    assert {row.state for row in supervisor.status(layout, plan)} == {"stopped"}


def test_which_parts_have_ended_is_known_without_starting_a_program(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Path:
        raise AssertionError(f"{name} was looked for")

    monkeypatch.setattr("genai_platform.programs.find", find)
    assert supervisor.ended(layout) == []


PARENT = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""


def test_what_a_killed_part_left_behind_goes_before_it_is_started_again(layout: SandboxLayout) -> None:
    part = Fake("parent", None, program=PARENT)
    part.ready = lambda layout: processes.last_line(layout, "parent").isdigit()  # type: ignore[method-assign]
    plan = [PartSpec(part), PartSpec(Fake("other", "etcd"))]
    supervisor.start(layout, Told(), plan)
    orphan, other = int(processes.last_line(layout, "parent")), pid_of(layout, "other")
    killed = psutil.Process(pid_of(layout, "parent"))
    killed.kill()
    killed.wait(5)
    assert supervisor.start(layout, Told(), plan) == ["parent"]
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
    assert pid_of(layout, "other") == other


def test_a_saved_sandbox_comes_back_whole(layout: SandboxLayout, tmp_path: Path) -> None:
    plan = [PartSpec(Fake("web"))]
    target = layout.root.parent
    (target / "terraform.tfstate").write_text("{}")
    supervisor.start(layout, Told(), plan)
    (layout.folder("web") / "index.html").write_text("kept")
    file = save.save(layout, target, tmp_path / "kept.tar", Told(), plan)
    assert file.stat().st_mode & 0o777 == 0o600
    assert supervisor.running(layout), "it runs again after the copy"

    copy = tmp_path / "copy" / "sandbox"
    with pytest.raises(ConfigError, match="cannot become 'sandbox-b'"):
        save.restore(file, tmp_path / "sandbox-b" / "world", tmp_path / "sandbox-b", Told(), plan)
    with pytest.raises(MissingError, match="network"):
        save.restore(file, copy / "world", copy, Told(), plan)
    assert not copy.exists() or not (copy / "world").exists()
    supervisor.stop(layout, plan)
    restored = save.restore(file, copy / "world", copy, Told(), plan)
    try:
        assert (restored.ports, restored.network) == (layout.ports, layout.network)
        with urllib.request.urlopen(restored.url("aws") + "/index.html", timeout=2) as answer:
            assert answer.read() == b"kept"
        assert (copy / "terraform.tfstate").read_text() == "{}"
        with pytest.raises(MissingError, match="network"):
            supervisor.start(layout, Told(), plan)
        with pytest.raises(ConfigError, match="already"):
            save.restore(file, copy / "world", copy, Told(), plan)
    finally:
        supervisor.remove(restored, plan)
    assert not restored.root.exists()
    assert supervisor.start(layout, Told(), plan) == ["web"], "the original may run again"


def test_another_file_is_no_saved_sandbox(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no archive")
    with pytest.raises(ConfigError, match="not a saved sandbox"):
        save.restore(tmp_path / "x.tar", tmp_path / "w", tmp_path, Told())
