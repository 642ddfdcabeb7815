"""Which run of Terraform in a root's folder has not ended in good order: whose lock may be released, whose state be stored.

A run's mark is a file that its process holds locked (flock): the system releases it when the process has ended, also one
that outlived the command that started it. The file itself goes only when the run gave back the state's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

MARK = ".terraform/genai-run"
_CLOCK = timedelta(seconds=2)
"""Terraform writes when it took a lock, to the microsecond, by the same clock."""


@contextlib.contextmanager
def marked(folder: Path) -> Iterator[tuple[int, ...]]:
    """Mark a run in a root's folder that takes the state's lock.

    Yields:
        File descriptors for the program to inherit; none where the file system takes no file or another run is at work.
    """
    path = folder / MARK
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        yield ()
        return
    try:
        if not _alone(descriptor):
            yield ()
            return
        with contextlib.suppress(OSError):
            # An earlier mark stays: its run has not given back the lock.
            if not os.read(descriptor, 1):
                os.write(descriptor, json.dumps({"since": datetime.now(UTC).isoformat()}).encode())
        yield (descriptor,)
    finally:
        os.close(descriptor)


def running(folder: Path) -> bool:
    """Whether a run in this folder is still at work, also one whose `genai` has ended."""
    try:
        descriptor = os.open(folder / MARK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _alone(descriptor)
    finally:
        os.close(descriptor)


def unmark(folder: Path) -> None:
    """The run in this folder has given back its lock, or took none."""
    (folder / MARK).unlink(missing_ok=True)


def abandoned(folder: Path, holder: Mapping[str, str]) -> bool:
    """Whether a state's lock was taken by a run in this folder whose process has ended. ``holder``: Terraform's document of the lock."""
    if running(folder):
        return False
    try:
        since = datetime.fromisoformat(json.loads((folder / MARK).read_bytes())["since"])
        taken = datetime.fromisoformat(holder["Created"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return holder.get("Who") == myself() and taken >= since - _CLOCK


def doing(holder: Mapping[str, str]) -> str:
    """``, for apply``: what the run that holds a lock does; empty where Terraform did not say."""
    operation = holder.get("Operation", "").removeprefix("OperationType").lower()
    return f", for {operation}" if operation else ""


def myself() -> str:
    """How Terraform calls who runs it: ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    return f"{user}@{socket.gethostname()}"


def _alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
