"""A real process in its own root: what it sees, what it may write, how it ends."""

from __future__ import annotations

import dataclasses
import queue
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from genai_platform.sandbox.cluster.agent.process import Command, Log, Mount, Process, StartFault, run_inside

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Command]:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "file").write_text("from the volume")
    (tmp_path / "hosts").write_text("127.7.0.1\tdb.demo.svc\n")

    def make(script: str, *, readonly: bool = False, mounts: tuple[Mount, ...] = ()) -> Command:
        standard = [
            Mount(str(tmp_path / "hosts"), "/etc/hosts", True),
            Mount(str(tmp_path / "volume"), "/srv/not-there/conf.d", True),
            Mount(str(tmp_path / "volume" / "file"), "/etc/app/one.xml", True),
        ]
        return Command(
            argv=["sh", "-c", script],
            env={"PATH": "/usr/bin:/bin", "ONLY": "this"},
            cwd="/",
            hostname="web-0",
            scratch=str(tmp_path / "scratch"),
            mounts=[*standard, *mounts],
            visible=[sys.prefix],
            readonly=readonly,
        )

    return make


@pytest.fixture
def run(tmp_path: Path, command: Callable[..., Command]) -> Run:
    def execute(script: str, **more: object) -> tuple[int, str]:
        exits: queue.Queue[int] = queue.Queue()
        process = Process(command(script, **more), Log(tmp_path / "log"), lambda process, code: exits.put(code))
        code = exits.get(timeout=20)
        return code, process.log.tail(100, 10_000)

    return execute


def test_it_sees_its_volumes_hosts_name_and_variables_only(run: Run) -> None:
    code, text = run("cat /srv/not-there/conf.d/file /etc/app/one.xml; echo; getent hosts db.demo.svc; hostname; env; ls -A /tmp")
    assert code == 0
    assert text.splitlines()[0] == "from the volume" * 2
    assert "127.7.0.1" in text
    assert "web-0" in text
    assert "ONLY=this" in text
    assert "HOME=" not in text


def test_what_it_writes_stays_inside(run: Run) -> None:
    code, _ = run("echo x > /etc/written-by-the-test && echo x > /tmp/written-by-the-test && echo x > /written-by-the-test")
    assert code == 0
    for folder in ("/etc", "/tmp", "/"):
        assert not (Path(folder) / "written-by-the-test").exists()


def test_a_read_only_root_is_read_only_except_for_volumes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    script = "touch /x; touch /tmp/x; touch /srv/not-there/conf.d/x; echo kept > /data/kept"
    code, text = run(script, readonly=True, mounts=(Mount(str(tmp_path / "data"), "/data"),))
    assert code == 0
    assert text.count("Read-only file system") == 3
    assert (tmp_path / "data" / "kept").read_text() == "kept\n"


def test_a_volume_in_place_of_the_temporary_folder_can_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    code, text = run("echo kept > /tmp/kept; touch /x", readonly=True, mounts=(Mount(str(tmp_path / "temporary"), "/tmp"),))
    assert (tmp_path / "temporary" / "kept").read_text() == "kept\n"
    assert (code, text.count("Read-only file system")) == (1, 1)


def test_a_volume_is_seen_below_another_that_is_mounted_before_it(run: Run, tmp_path: Path) -> None:
    """As ClickHouse's configuration: an empty folder that can be written, with a configuration map in it."""
    (tmp_path / "empty").mkdir()
    mounts = (Mount(str(tmp_path / "empty"), "/opt/app/etc"), Mount(str(tmp_path / "volume"), "/opt/app/etc/conf.d/default", True))
    for again in range(2):
        code, text = run("cat /opt/app/etc/conf.d/default/file && echo more >> /opt/app/etc/written", mounts=mounts)
        assert (code, text.count("from the volume")) == (0, again + 1)
    assert (tmp_path / "empty" / "written").read_text() == "more\n" * 2


def test_what_is_hidden_cannot_be_read(command: Callable[..., Command], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    (tmp_path / "single").write_text("private")
    exits: queue.Queue[int] = queue.Queue()
    plain = command(f"cat {secret}/key {tmp_path}/single; ls {tmp_path}")
    hiding = dataclasses.replace(plain, visible=[*plain.visible, str(tmp_path)], hidden=[str(secret), str(tmp_path / "single")])
    process = Process(hiding, Log(tmp_path / "log"), lambda process, code: exits.put(code))
    exits.get(timeout=20)
    text = process.log.tail(100, 10_000)
    assert "private" not in text
    assert "volume" in text.split()


def test_exit_codes(run: Run) -> None:
    assert run("exit 7")[0] == 7
    assert run("kill -9 $$")[0] == 137


def test_a_command_that_does_not_exist_is_a_fault(command: Callable[..., Command], tmp_path: Path) -> None:
    broken = command("true")
    broken.argv[0] = "/no/such/program"
    with pytest.raises(StartFault, match="No such file"):
        Process(broken, Log(tmp_path / "log"), lambda process, code: None)


def test_what_it_left_running_ends_with_it(run: Run) -> None:
    code, _ = run("sleep 7351 & exit 0")
    assert code == 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "7351"]]


def test_a_probe_runs_in_the_containers_root_and_the_end_signal_arrives(command: Callable[..., Command], tmp_path: Path) -> None:
    exits: queue.Queue[int] = queue.Queue()
    script = "trap 'exit 5' TERM; echo here > /tmp/inside; echo ready; while :; do sleep 0.05; done"
    process = Process(command(script), Log(tmp_path / "log"), lambda process, code: exits.put(code))
    lines = process.log.read(follow=True)
    assert any(b"ready" in line for line in lines)
    environment = {"PATH": "/usr/bin:/bin"}
    assert run_inside(process.pid, Command(["cat", "/tmp/inside"], environment), 10) == (True, "here")
    assert run_inside(process.pid, Command(["sh", "-c", "exit 1"], environment), 10)[0] is False
    process.terminate()
    assert exits.get(timeout=20) == 5
