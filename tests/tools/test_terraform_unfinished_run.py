"""Whose lock may be released: only that of a run in this folder whose process has ended."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genai_platform.tools.terraform.unfinished_run import abandoned, marked, myself, running, unmark


def lock(who: str | None = None, minutes: float = 0) -> dict[str, str]:
    return {"ID": "1", "Who": who or myself(), "Created": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()}


def test_a_lock_is_released_only_when_its_run_has_ended(tmp_path: Path) -> None:
    assert not running(tmp_path)
    with marked(tmp_path) as inherited:
        program = subprocess.Popen(["sleep", "60"], pass_fds=inherited)
    # The command that started it has gone, the program is still at work.
    assert running(tmp_path)
    assert not abandoned(tmp_path, lock())
    program.kill()
    program.wait()
    assert not running(tmp_path)
    assert abandoned(tmp_path, lock())


def test_another_s_lock_is_left_alone(tmp_path: Path) -> None:
    with marked(tmp_path):
        pass
    assert not abandoned(tmp_path, lock(who="somebody@elsewhere"))
    assert not abandoned(tmp_path, lock(minutes=-5)), "taken before this folder's run began"


def test_a_run_that_gave_its_lock_back_has_no_lock(tmp_path: Path) -> None:
    with marked(tmp_path):
        pass
    unmark(tmp_path)
    assert not abandoned(tmp_path, lock())
