"""A disk that is full: on a file system of its own, which is really full."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from genai_platform.cli import disk_space
from genai_platform.cli.worlds.clouds import Clouds
from genai_platform.cli.worlds.sandbox import Sandbox
from genai_platform.engine.events import Bus, StepSaid
from genai_platform.engine.journal import Journal, read
from genai_platform.engine.lock import Locked, hold
from genai_platform.errors import MissingError, unexpected
from tests.cli.conftest import Shell
from tests.worlds import World

MEGABYTES = 24


class Heard:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * disk_space.MEGABYTE)
    assert shutil.disk_usage(folder).free == 0


def test_up_refuses_where_there_is_too_little_room(small: Path) -> None:
    with pytest.raises(MissingError, match=rf"{small} has {MEGABYTES} MB free, and 200 MB are needed"):
        disk_space.refuse(small / ".genai" / "default", Clouds.room)
    with pytest.raises(MissingError, match="2048 MB are needed"):
        disk_space.refuse(small / ".genai" / "sandbox", Sandbox.room)


def test_what_up_kept_aside_is_room_for_down(small: Path) -> None:
    heard = Heard()
    disk_space.reserve(small)
    fill(small)
    disk_space.release(small, heard)  # type: ignore[arg-type]
    (small / "state").write_bytes(os.urandom(8 * disk_space.MEGABYTE))
    assert "16 MB that were kept aside" in heard.warnings[0]


def test_up_refuses_and_down_goes_on(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("up").code == 0
    kept = shell.folder / ".genai" / "default" / disk_space.RESERVE
    assert kept.stat().st_size == 16 * disk_space.MEGABYTE
    world.happened.clear()
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: SimpleNamespace(free=3 * disk_space.MEGABYTE))
    refused = shell("up")
    assert (refused.code, world.happened) == (3, [])
    assert "3 MB free" in refused.err
    removed = shell("down", "--yes")
    assert (removed.code, world.there, kept.exists()) == (0, set(), False)
    assert "is full (3 MB free); 16 MB that were kept aside" in removed.err


def test_a_disk_with_room_keeps_what_is_aside(tmp_path: Path) -> None:
    heard = Heard()
    disk_space.reserve(tmp_path)
    disk_space.release(tmp_path, heard)  # type: ignore[arg-type]
    assert (heard.warnings, (tmp_path / disk_space.RESERVE).exists()) == ([], True)


def test_lock_and_journal_do_without_what_cannot_be_written(small: Path) -> None:
    before = Journal(small / "journal.jsonl")
    before(StepSaid("a", "room yet"))
    fill(small)
    bus = Bus([before])
    with hold(small / "lock", "genai down"), pytest.raises(Locked), hold(small / "lock", "genai up"):
        pass
    for _ in range(400):
        bus(StepSaid("a", "no room " * 20))
    before.close()
    assert bus.lost
    assert bus.lost[0].errno == errno.ENOSPC
    assert read(small / "journal.jsonl")[0]["text"] == "room yet"


def test_a_full_disk_is_told_as_what_it_is() -> None:
    told = unexpected(OSError(errno.ENOSPC, "No space left on device"))
    assert told.id == "system.disk"
    assert "no room left on the disk" in told.message
    assert "make room" in told.remedy
