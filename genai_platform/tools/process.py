"""Runs outside programs: one at a time, its lines heard while it runs, ended cleanly.

A program writes into two unnamed files, which are read while they grow. So a full pipe never blocks it, nothing is read
to its end before something else, and a program whose parent was killed goes on to write and finishes its work.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from genai_platform.engine.step import Progress
from genai_platform.errors import MissingError, StepError

Stream = Literal["out", "err"]
_LOOK = 0.05
_LAST = 12
_CHUNK = 1 << 16
_running: set[subprocess.Popen[bytes]] = set()
"""What ``kill_all`` ends. Programs have sessions of their own, so nothing else would."""


@dataclass(frozen=True)
class Command:
    """A program and what it is started with.

    Attributes:
        argv: program and arguments. Secrets go through ``stdin`` or files.
        env: its whole environment.
        cwd: its working folder; None: ours.
        stdin: what it reads; None: nothing.
        inherited: file descriptors that it gets, too.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: str | None = None
    inherited: Sequence[int] = ()

    @property
    def name(self) -> str:
        """``terraform apply`` for ``/usr/bin/terraform apply -input=false``."""
        words = [Path(self.argv[0]).name, *self.argv[1:2]]
        return " ".join(word for word in words if not word.startswith("-"))


@dataclass(frozen=True)
class Finished:
    """A program that ended."""

    code: int
    out: str
    err: str


class CommandError(StepError):
    """A program failed or took too long.

    Attributes:
        code: its exit code; None when it was ended after its time limit.
        tail: its last lines.
    """

    def __init__(self, message: str, code: int | None, tail: str, *, id: str = "command.failed") -> None:
        super().__init__(f"{message}\n{tail}" if tail else message, id=id)
        self.code, self.tail = code, tail


class _Reader:
    """Reads lines from a file that another process is writing."""

    def __init__(self, file: IO[bytes], heard: Callable[[str], None] | None) -> None:
        self._descriptor, self._heard = file.fileno(), heard
        self._position, self._rest = 0, b""
        self._all: list[bytes] = []

    def look(self) -> None:
        """Take what is new. The position is ours alone: the writer's is not moved."""
        while chunk := os.pread(self._descriptor, _CHUNK, self._position):
            self._position += len(chunk)
            self._all.append(chunk)
            if self._heard is not None:
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._heard(line.decode("utf-8", "replace").rstrip("\r"))

    def text(self) -> str:
        self.look()
        if self._rest and self._heard is not None:
            self._heard(self._rest.decode("utf-8", "replace"))
            self._rest = b""
        return b"".join(self._all).decode("utf-8", "replace")


def run(
    command: Command, *, timeout: float, progress: Progress | None = None, on_line: Callable[[Stream, str], None] | None = None,
    good: Sequence[int] | None = (0,), grace: float = 30.0,
) -> Finished:  # fmt: skip
    """Run a program to its end.

    Args:
        timeout: seconds until it is ended.
        progress: asked ten times a second or more whether the person wants to stop.
        on_line: hears every line as it is written.
        good: exit codes that are not an error; None: all.
        grace: seconds between the request to end and the kill.

    Raises:
        CommandError: another exit code, or the time limit.
        MissingError: the program was not found.
        Interrupted: from ``progress.check``; the program was ended before.
    """
    with contextlib.ExitStack() as files:
        out_file, err_file = (files.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        readers = (
            _Reader(out_file, None if on_line is None else lambda line: on_line("out", line)),
            _Reader(err_file, None if on_line is None else lambda line: on_line("err", line)),
        )
        if command.stdin is None:
            source: int | IO[bytes] = subprocess.DEVNULL
        else:
            source = files.enter_context(tempfile.TemporaryFile())
            source.write(command.stdin.encode())
            source.seek(0)
        process = _start(command, source, out_file, err_file)
        _running.add(process)
        deadline = time.monotonic() + timeout
        try:
            while process.poll() is None:
                for reader in readers:
                    reader.look()
                if progress is not None:
                    progress.check()
                if time.monotonic() > deadline:
                    end(process, grace)
                    tail = _tail(readers[0].text(), readers[1].text())
                    raise CommandError(f"{command.name} did not finish within {timeout:.0f} s", None, tail, id="command.timeout")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
        finally:
            end(process, grace)
            _running.discard(process)
        finished = Finished(process.returncode, readers[0].text(), readers[1].text())
    if good is not None and finished.code not in good:
        tail = _tail(finished.out, finished.err)
        raise CommandError(f"{command.name} ended with exit code {finished.code}", finished.code, tail)
    return finished


def end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask a program's group to end; kill it when it has not after ``grace`` seconds. Nothing when it has ended."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        # The program alone is asked first: it knows best in which order its children should end.
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all() -> None:
    """Kill every program that still runs, with its children: the person asked a second time."""
    for process in tuple(_running):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _start(command: Command, source: int | IO[bytes], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we decide when the program hears of it.
        return subprocess.Popen(
            list(command.argv), env=dict(command.env), cwd=command.cwd, stdin=source, stdout=out, stderr=err,
            start_new_session=True, pass_fds=tuple(command.inherited),
        )  # fmt: skip
    except FileNotFoundError:
        program = command.argv[0]
        raise MissingError(f"the program '{program}' was not found", remedy=f"install {command.name}", id="command.missing") from None


def _tail(out: str, err: str) -> str:
    return "\n".join((err.strip() or out.strip()).splitlines()[-_LAST:])
