"""The end of the platform that the tests of a session share, whatever they left in it."""

from __future__ import annotations

from tests.end_to_end.conftest import Platform
from tests.end_to_end.processes import processes_of


def test_nothing_is_left(platform: Platform) -> None:
    done = platform.down().document
    assert (done["ok"], done["leftovers"], done["retained"]) == (True, [], [])
    assert processes_of(platform.folder) == []
    assert not (platform.folder / ".genai" / "sandbox" / "world").exists()
