"""The processes of a sandbox as the operating system sees them: launched, recognised, ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import psutil

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout

MARK = "GENAI_SANDBOX_PLACE"
"""Environment variable every process of a sandbox carries: the sandbox's folder."""
PART_MARK = "GENAI_SANDBOX_PART"
"""And this one: the part that started it."""

_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "GENAI_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH")
_LOG_LIMIT = 20_000_000


def environment(layout: SandboxLayout) -> dict[str, str]:
    """What a part gets in addition to its own variables: no credentials, no proxies, no endpoints of the person's."""
    clean = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    clean.setdefault("LANG", "C.UTF-8")
    clean.setdefault("TMPDIR", tempfile.gettempdir())
    # The interpreter's own folder first: parts find the programs that were installed next to this one.
    clean["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), clean.get("PATH", os.defpath)))
    clean |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return clean | {"PYTHONUNBUFFERED": "1", MARK: str(layout.root)}


def launch(layout: SandboxLayout, name: str, argv: list[str], variables: Mapping[str, str]) -> psutil.Process:
    """Start a process in a session of its own, so that it outlives this command, and write down which it is."""
    log = log_file(layout, name)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        given = environment(layout) | {PART_MARK: name} | dict(variables)
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=subprocess.STDOUT, cwd=layout.root, env=given, start_new_session=True
        )
    finally:
        os.close(descriptor)
    process = psutil.Process(child.pid)
    record = {"pid": child.pid, "began": _began(child.pid), "boot": _boot()}
    write_private(_record(layout, name), json.dumps(record))
    child.returncode = 0  # psutil waits for it; a forgotten handle does not deserve a warning
    return process


def recorded(layout: SandboxLayout, name: str) -> psutil.Process | None:
    """The part's process, when it is alive and really the one that was started."""
    try:
        record = json.loads(_record(layout, name).read_text())
        if record["boot"] != _boot() or record["began"] != _began(record["pid"]):
            return None
        process = psutil.Process(record["pid"])
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return process if alive(process) else None


def names(layout: SandboxLayout) -> list[str]:
    """The parts that were ever started."""
    return sorted(path.stem for path in layout.folder("run").glob("*.json"))


def alive(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie does not (and is reaped here when it is ours)."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.is_running()
        # The first thread of a program may be gone while others still hold its ports.
        if len(os.listdir(f"/proc/{process.pid}/task")) > 1:  # noqa: PTH208
            return True
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(0)
    except (psutil.Error, OSError):
        pass
    return False


def end(layout: SandboxLayout, name: str, seconds: float) -> bool:
    """End a part and its children: asked first, killed after ``seconds``. False when it was not running."""
    process = recorded(layout, name)
    if process is not None:
        family = [process]
        with contextlib.suppress(psutil.Error):
            # Its children first: they cannot be found once their parent is gone.
            family += process.children(recursive=True)
        with contextlib.suppress(psutil.Error):
            process.terminate()
        _wait_or_kill([process], family, seconds)
    _record(layout, name).unlink(missing_ok=True)
    return process is not None


def end_marked(layout: SandboxLayout, seconds: float, name: str | None = None) -> int:
    """End every other process that carries this sandbox's mark (and the part's), no matter which its parent is now.

    Returns:
        Their number.
    """
    wanted = {MARK: str(layout.root)} | ({} if name is None else {PART_MARK: name})
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and wanted.items() <= process.environ().items() and alive(process):
                found.append(process)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _wait_or_kill(found, found, seconds)
    return len(found)


def port_holder(number: int, address: str = "127.0.0.1") -> str | None:
    """Who listens on this port of a loopback address, in words; None when it is free."""
    with contextlib.closing(socket.socket()) as probe:
        # As servers do: connections that are only lingering do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((address, number))
            return None
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            there = connection.laddr
            if there and there.port == number and connection.pid and (there.ip == address or ip_address(there.ip).is_unspecified):
                return f"'{psutil.Process(connection.pid).name()}' (process {connection.pid})"
    return "a process of another user"


def log_file(layout: SandboxLayout, name: str) -> Path:
    return layout.folder("logs") / f"{name}.log"


def last_line(layout: SandboxLayout, name: str) -> str:
    """The last line of its log that says something."""
    try:
        with open(log_file(layout, name), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return re.sub(r"\x1b\[[0-9;]*m", "", lines[-1])[:400] if lines else "(it wrote nothing)"


def _wait_or_kill(asked: list[psutil.Process], family: list[psutil.Process], seconds: float) -> None:
    _gone(asked, seconds)
    # A parent that ended may leave children that are just ending themselves.
    for process in _gone(family, 1.0):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone(family, 5.0)


def _gone(waited: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended; those that have not. (``psutil.wait_procs`` takes another's zombie for alive.)"""
    until = time.monotonic() + seconds
    while True:
        waited = [process for process in waited if alive(process)]
        if not waited or time.monotonic() > until:
            return waited
        time.sleep(0.02)


def _began(pid: int) -> int:
    """When it began, in the kernel's ticks: exact, and not moved by a clock that is set."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _record(layout: SandboxLayout, name: str) -> Path:
    return layout.folder("run") / f"{name}.json"
