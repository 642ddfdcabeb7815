"""From Langfuse 3 to Langfuse 4: refused where it would lose the traces, and in the right order where it keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from genai_platform.errors import ConfigError
from genai_platform.render.chart import support
from genai_platform.steps import keep_line
from genai_platform.steps.doors import Doors
from genai_platform.steps.keep_backups import Backup, Backups
from genai_platform.tools.helm import Release
from tests.steps.clickhouse_world import BUCKET, Cluster, Engine, day
from tests.tools.aws_world import Quiet, world


class Releases:
    """Helm, with one release or none."""

    def __init__(self, version: str | None) -> None:
        self._version = version

    def release(self, name: str, namespace: str) -> Release | None:
        return None if self._version is None else cast(Release, type("Installed", (), {"version": self._version, "status": "deployed"}))


@pytest.fixture
def open_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from contextlib import ExitStack

    with ExitStack() as stack:

        def made(version: str, installed: str | None = None, line: int = 1) -> tuple[Doors, Cluster]:
            settings = {"langfuse": {"chart": {"version": version}}, "lifecycle": {"down": "keep-data"}}
            doors = stack.enter_context(world(tmp_path, monkeypatch, **settings))
            doors.aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
            _, cluster = day(doors, Engine(rows={"traces": 5}), line)
            doors.__dict__["helm"] = cast(Any, Releases(installed))
            return doors, cluster

        yield made


def kept(doors: Doors, line: Any, version: str) -> None:
    doors.aws.client("s3").put_object(Bucket=BUCKET, Key="backup/20260101-180000/.backup")
    doors.aws.client("s3").put_object(Bucket=BUCKET, Key="backup/20260101-180000/data/rows", Body=b'{"traces": 9}')
    Backups(doors).record(Backup("backup/20260101-180000", {"traces": 9}, line, version))


@pytest.mark.parametrize(("installed", "wanted"), [("1.5.41", "2.0.0"), ("2.0.0", "1.5.41")])
def test_another_line_than_the_installed_one_is_refused(open_world: Any, installed: str, wanted: str) -> None:
    doors, _ = open_world(wanted, installed)
    with pytest.raises(ConfigError, match=f"chart {installed} is installed") as caught:
        keep_line.refuse(doors)
    assert "genai down" in caught.value.remedy


def test_another_chart_of_the_same_line_is_not_refused(open_world: Any) -> None:
    doors, _ = open_world("1.5.42", "1.5.41")
    keep_line.refuse(doors)


@pytest.mark.parametrize(
    ("line", "version", "wanted", "words"),
    [(2, "4.4.0", "1.5.41", "cannot read back"), (1, "3.135.0", "2.0.0", "takes over from 3.224.1")],
)
def test_a_backup_that_the_wanted_line_cannot_read_is_refused(
    open_world: Any, line: int, version: str, wanted: str, words: str
) -> None:  # fmt: skip
    doors, _ = open_world(wanted)
    kept(doors, line, version)
    with pytest.raises(ConfigError, match=words):
        keep_line.refuse(doors)


def test_what_langfuse_3_wrote_is_rewritten_only_after_it_was_read_back(open_world: Any) -> None:
    doors, cluster = open_world("2.0.0", line=2)
    kept(doors, 1, "3.224.1")
    keep_line.refuse(doors)
    keep_line.hold(doors)
    assert cluster.objects["ConfigMap", "langfuse-migration"]["data"] == {"historic-backfill": "false"}
    step, again = day(doors, line=2)
    again.objects["ConfigMap", "langfuse-migration"] = cluster.objects["ConfigMap", "langfuse-migration"]
    step.apply(Quiet())
    assert again.objects["ConfigMap", "langfuse-migration"]["data"] == {"historic-backfill": "true"}
    assert again.happened == ["restore", "restart langfuse-worker"]


def test_with_nothing_of_langfuse_3_nothing_is_held(open_world: Any) -> None:
    doors, cluster = open_world("2.0.0", line=2)
    keep_line.hold(doors)
    kept(doors, 2, "4.4.0")
    keep_line.hold(doors)
    assert ("ConfigMap", "langfuse-migration") not in cluster.objects


def test_the_installed_clickhouse_is_backed_up_whatever_line_is_configured(open_world: Any) -> None:
    doors, cluster = open_world("2.0.0", "1.5.41")
    step, _ = day(doors, cluster.engine)
    assert "5 traces" in step.destroy(Quiet())
    last = Backups(doors).last()
    assert last is not None
    assert last.line == 1


def test_the_end_of_security_fixes_is_said_with_the_way_on(open_world: Any) -> None:
    doors, _ = open_world("1.5.41")
    before, after = support(doors.target.settings, date(2026, 11, 29)), support(doors.target.settings, date(2027, 2, 1))
    assert before is not None
    assert after is not None
    assert "until 2027-01-31" in before
    assert "since 2027-01-31" in after
    assert "genai down --keep-data" in before
