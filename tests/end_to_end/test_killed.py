"""``down`` where there is nothing, and after an ``up`` that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import Platform
from tests.end_to_end.processes import processes_of, started


def test_down_on_nothing_says_so(tmp_path: Path) -> None:
    for _ in range(2):
        done = Platform(tmp_path).down()
        assert done.document["ok"]
        assert "nothing to remove" in done.err


@pytest.mark.timeout(1500)
def test_down_after_an_up_that_was_killed(tmp_path: Path) -> None:
    own = Platform(tmp_path)
    try:
        with started(own, "up") as (process, until):
            until("infra.cluster", "creating")
            process.kill()
        done = own.down()
        assert done.document["leftovers"] == []
        assert processes_of(own.folder) == []
    finally:
        own.run("sandbox", "remove", "--yes", code=None)
