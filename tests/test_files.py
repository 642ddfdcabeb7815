"""A file is written whole or not at all, and read by those who may."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genai_platform.files import rewrite, write_private


def test_content_and_mode_are_as_said_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "made" / "file"
    assert write_private(path, "first é").read_text(encoding="utf-8") == "first é"
    path.chmod(0o666)
    for content in ("first é", b"second\0"):
        write_private(path, content)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_as_wanted_keeps_its_time_of_change(tmp_path: Path) -> None:
    path = write_private(tmp_path / "file", "same")
    before = path.stat()
    write_private(path, "same")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("somebody's")
    path = tmp_path / "file"
    path.symlink_to(other)
    write_private(path, "secret")
    assert (path.is_symlink(), path.read_text(), other.read_text()) == (False, "secret", "somebody's")


def test_what_cannot_be_written_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_private(folder, "text")
    assert (folder / "inside").is_dir()
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_many_threads_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "variables.json"
    texts = [str(number) * 20000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_private(path, texts[number % 8]), range(400)))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_rewritten_file_keeps_its_mode_and_one_that_is_as_wanted_its_time_of_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o664)
    rewrite(path, b"new")
    before = path.stat()
    assert (path.read_bytes(), stat.S_IMODE(before.st_mode)) == (b"new", 0o664)
    rewrite(path, b"new")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_rewritten_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        rewrite(tmp_path / "folder", b"text")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
