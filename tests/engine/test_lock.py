from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genai_platform.engine.lock import Locked, hold

_HOLDER = """
import sys, time
from pathlib import Path
from genai_platform.engine.lock import hold
with hold(Path(sys.argv[1]), "genai up"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_holder_is_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Locked) as caught, hold(tmp_path / "lock", "genai down"):
            pytest.fail("both hold it")
        assert "'genai up' is at work here" in caught.value.message
        assert str(other.pid) in caught.value.message
        other.kill()


def test_a_dead_holder_is_taken_over_and_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
        other.wait()
    with hold(tmp_path / "lock", "genai up") as before:
        assert before is not None
        assert (before.pid, before.command) == (other.pid, "genai up")


def test_a_holder_that_ended_well_leaves_no_trace(tmp_path: Path) -> None:
    with hold(tmp_path / "lock", "genai up"):
        pass
    with pytest.raises(ValueError, match="failed"), hold(tmp_path / "lock", "genai up"):
        raise ValueError("failed")
    with hold(tmp_path / "lock", "genai down") as before:
        assert before is None


def test_the_holder_file_is_private(tmp_path: Path) -> None:
    with hold(tmp_path / "sub" / "lock", "genai up"):
        assert (tmp_path / "sub" / "lock.holder").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "sub").stat().st_mode & 0o777 == 0o700
