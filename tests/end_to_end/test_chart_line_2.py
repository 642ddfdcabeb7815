"""Langfuse's chart line 2, with its ClickHouse operator and Keeper: up, verified and down, on a sandbox of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Platform


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """A sandbox that comes and goes in this test. Without Azure: no half of that depends on the chart."""
    made = Platform(tmp_path, ("langfuse.chart.version=2.0.0", "azure.enabled=false"))
    yield made
    made.run("sandbox", "remove", "--yes", code=None)


@pytest.mark.timeout(1500)
def test_line_2_comes_works_and_goes(own: Platform) -> None:
    own.up()
    clusters = own.objects("clickhouseclusters,keeperclusters")["items"]
    assert {one["kind"] for one in clusters} == {"ClickHouseCluster", "KeeperCluster"}
    verified = own.verify()
    assert verified.document["passed"] is True, str(verified)
    assert {check["status"] for check in verified.checks.values()} == {"pass"}, str(verified)
    done = own.down().document
    assert (done["ok"], done["leftovers"], done["retained"]) == (True, [], [])
    assert not (own.folder / ".genai" / "sandbox" / "world").exists()
