"""A container's process: started through ``mount_namespace.py``, its output kept in a log that others can follow."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from genai_platform.sandbox.processes import MARK

_ENVIRONMENT = {"LANG": "C.UTF-8", **{name: os.environ[name] for name in (MARK,) if name in os.environ}}
"""Of the launcher. The mark lets the supervisor find it should this agent be killed."""
_LISTENING = 5.0
_LAUNCHER = Path(__file__).with_name("mount_namespace.py")


class StartFault(Exception):
    """The command could not be started."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine and where the container sees it."""

    source: str
    target: str
    readonly: bool = False


@dataclass(frozen=True)
class Command:
    """What ``mount_namespace.py`` is told. It travels through a pipe, since the environment holds secrets."""

    argv: list[str]
    env: dict[str, str]
    cwd: str = ""
    hostname: str = ""
    scratch: str = ""
    mounts: list[Mount] = field(default_factory=list)
    visible: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    readonly: bool = False

    def document(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class Log:
    """Lines with the time they came, in a file: ``TIME F text``, or ``TIME P text`` when no newline ended it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        self._grown = threading.Condition()
        self.closed = False

    def write(self, lines: list[bytes], *, whole: bool = True) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
        mark = b" F " if whole else b" P "
        with self._grown:
            self._file.write(b"".join(stamp + mark + line + b"\n" for line in lines))
            self._grown.notify_all()

    def close(self) -> None:
        with self._grown:
            if not self.closed:
                self.closed = True
                self._file.close()
            self._grown.notify_all()

    def read(self, follow: Callable[[], bool] | None = None) -> Iterator[bytes]:
        """Raw lines from the start.

        Args:
            follow: say b"" once everything so far was given, and go on until the log is closed, or until this (asked every
                few seconds) says that nobody listens any more.
        """
        with open(self.path, "rb") as file:
            rest = b""
            caught_up = False
            while True:
                if piece := file.read(1 << 16):
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from lines
                    continue
                if follow is not None and not caught_up:
                    caught_up = True
                    yield b""
                with self._grown:
                    if file.tell() < os.fstat(file.fileno()).st_size:
                        continue
                    if self.closed or follow is None:
                        return
                    grown = self._grown.wait(_LISTENING)
                if not grown and not follow():
                    return

    def tail(self, count: int, limit: int) -> str:
        """The text of the last lines, for a message."""
        lines = [line.split(b" ", 2)[-1].decode(errors="replace") for line in self.read()][-count:]
        return "\n".join(lines)[-limit:]


class Process:
    """A running container. ``ended`` is called once, in a thread of its own, with the exit code."""

    def __init__(self, command: Command, log: Log, ended: Callable[[Process, int], None]) -> None:
        """Start it.

        Raises:
            StartFault: the command does not exist, or the root could not be built.
        """
        self.log = log
        self._popen, self.pid = _launch(command)
        self._thread = threading.Thread(target=self._collect, args=(ended,), name=f"container {self.pid}", daemon=True)
        self._thread.start()

    def terminate(self) -> None:
        """Ask it to end."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now, with whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.kill()

    def wait(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _collect(self, ended: Callable[[Process, int], None]) -> None:
        stream = self._popen.stdout
        assert stream is not None
        rest = b""
        while piece := os.read(stream.fileno(), 1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            if lines:
                self.log.write(lines)
            if len(rest) > 1 << 20:
                self.log.write([rest], whole=False)
                rest = b""
        if rest:
            self.log.write([rest], whole=False)
        stream.close()
        code = self._popen.wait()
        self.log.close()
        ended(self, code if code >= 0 else 128 - code)


def run_inside(pid: int, command: Command, timeout: float) -> tuple[bool, str]:
    """Run a command in a container's namespaces, as ``exec`` probes and hooks do: whether it exited with 0, and its output."""
    try:
        process, _ = _launch(command, "--enter", str(pid))
    except StartFault as error:
        return False, str(error)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False, f"command timed out after {timeout:g}s"
    return process.returncode == 0, output.decode(errors="replace")[-1024:].strip()


def _launch(command: Command, *more: str) -> tuple[subprocess.Popen[bytes], int]:
    read, write = os.pipe()
    try:
        argv = [sys.executable, "-I", "-S", str(_LAUNCHER), "--report", str(write), "--parent", str(os.getpid()), *more]
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(write,), env=_ENVIRONMENT
        )
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as reports:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(command.document())
            process.stdin.close()
        process.stdin = None
        # The other end closes when the command runs, or when it is known that it will not.
        lines = reports.read().decode(errors="replace").splitlines()
    fault = next((line[6:] for line in lines if line.startswith("error ")), None)
    if fault is not None:
        process.kill()
        process.communicate()
        raise StartFault(fault)
    return process, next((int(line[4:]) for line in lines if line.startswith("pid ")), process.pid)
