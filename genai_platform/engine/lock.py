"""One run at a time per environment. The lock names its holder; when the holder dies, the system releases it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from genai_platform.engine.events import now
from genai_platform.errors import GenaiError
from genai_platform.files import write_private


class Locked(GenaiError):
    """Another run is at work in this environment. Exit code 1; nothing was changed."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    user: str
    command: str
    since: str


@contextlib.contextmanager
def hold(path: Path, command: str, doing: Callable[[Holder], str] = lambda holder: "") -> Iterator[Holder | None]:
    """Hold the environment's lock.

    The kernel keeps the lock (flock), so it vanishes with its process, however that one ended; the file
    next to it only says who it is.

    Args:
        path: the lock's file.
        command: what to tell others, e.g. ``genai up``.
        doing: what a holder is known to be doing just now; empty where nothing is.

    Yields:
        The dead holder whose lock was taken over, or None.

    Raises:
        Locked: a living process holds it.
    """
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    about = path.with_name(path.name + ".holder")
    try:
        lock = FileLock(path, timeout=0, mode=0o600).acquire()
    except Timeout:
        raise _taken(about, doing) from None
    with lock:
        try:
            before = _read(about)
            me = Holder(os.getpid(), socket.gethostname(), user(), command, now())
            # The lock holds without it: on a full disk nobody is told who has it.
            with contextlib.suppress(OSError):
                write_private(about, json.dumps(asdict(me)))
            yield before
        finally:
            # A failed run ended in good order, too: nobody needs to hear of it as of a dead holder.
            about.unlink(missing_ok=True)


def holder(path: Path) -> Holder | None:
    """The living process of this machine that holds the lock; ``None`` where none is known. Nothing is locked to find out."""
    found = _read(path.with_name(path.name + ".holder"))
    return found if found and found.host == socket.gethostname() and psutil.pid_exists(found.pid) else None


def _taken(about: Path, doing: Callable[[Holder], str]) -> Locked:
    holder = _read(about)
    who = "another run is at work here"
    if holder:
        now_doing = doing(holder)
        who = (
            f"'{holder.command}' is at work here: process {holder.pid} of {holder.user} on {holder.host}, since {_local(holder.since)}"
            + (f": {now_doing}" if now_doing else "")
        )
    return Locked(who, remedy="wait until it has finished, or stop it with Ctrl-C where it runs", id="locked")


def _local(time: str) -> str:
    """By this machine's clock."""
    try:
        return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    except ValueError:
        return time


def _read(about: Path) -> Holder | None:
    try:
        return Holder(**json.loads(about.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def user() -> str:
    """The name of this process's user; its number where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
