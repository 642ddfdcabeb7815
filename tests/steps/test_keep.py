"""What ClickHouse holds, over the night: backed up, seen, read back once, replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from genai_platform.errors import StepError
from genai_platform.graph.step import State
from genai_platform.steps.catalog import build, for_down
from genai_platform.steps.doors import Doors
from genai_platform.steps.keep import MARK, TracesStep
from tests.tools.aws_world import Quiet, world

BUCKET = "genai-clickhouse-abcdef"


class Cluster:
    """A cluster with ClickHouse, whose jobs do to the bucket what ClickHouse would."""

    def __init__(self, doors: Doors) -> None:
        self.s3 = doors.aws.client("s3")
        self.objects: dict[tuple[str, str], dict[str, Any]] = {("StatefulSet", "langfuse-clickhouse-shard0"): {}}
        self.queries: list[str] = []
        self.refuses = ""
        self.forgets_the_end = False

    def exists(self) -> bool:
        return True

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def list(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "p", "creationTimestamp": "2026-01-01"}, "status": {"containerStatuses": [{"name": "question"}]}}]

    def events(self, *_: Any) -> tuple[Any, ...]:
        return ()

    def logs(self, *_: Any, **__: Any) -> str:
        return self.refuses

    def apply(self, document: dict[str, Any]) -> None:
        self.objects[document["kind"], document["metadata"]["name"]] = document

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, *_: Any, **__: Any) -> bool:
        return self.objects.pop((kind, name), None) is not None

    def create(self, document: dict[str, Any]) -> None:
        container = document["spec"]["template"]["spec"]["containers"][0]
        (query,) = [one["value"] for one in container["env"] if one["name"] == "QUERY"]
        self.queries.append(query)
        found = re.fullmatch(
            rf"BACKUP DATABASE default TO S3\('https://{BUCKET}\.s3\.[a-z0-9-]+\.amazonaws\.com/(backup/[0-9-]+)'\)", query
        )
        if found and not self.refuses:
            self.s3.put_object(Bucket=BUCKET, Key=f"{found[1]}/data/1")
            if not self.forgets_the_end:
                self.s3.put_object(Bucket=BUCKET, Key=f"{found[1]}/.backup")
        state = {"type": "Failed" if self.refuses else "Complete", "status": "True"}
        self.objects["Job", document["metadata"]["name"]] = {
            **document,
            "spec": {"selector": {"matchLabels": {"job-name": "j"}}},
            "status": {"conditions": [state]},
        }


def keys(doors: Doors) -> list[str]:
    return [entry["Key"] for entry in doors.aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def day(doors: Doors) -> tuple[TracesStep, Cluster]:
    """ClickHouse as a fresh ``up`` leaves it."""
    cast(Any, doors.terraform.state).resources = lambda root: 1
    roots: Any = doors.terraform
    roots.given["storage"] = {"langfuse_bucket": "genai-langfuse-abcdef", "clickhouse_bucket": BUCKET, "secret_arn": "arn:aws:x"}
    cluster = Cluster(doors)
    doors.__dict__["kube"] = cast(Any, cluster)
    return TracesStep(doors), cluster


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with world(tmp_path, monkeypatch, lifecycle={"down": "keep-data"}) as made:
        made.aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        yield made


def test_with_nothing_kept_it_is_present_and_asks_nothing(doors: Doors) -> None:
    step, cluster = day(doors)
    assert step.probe().state is State.PRESENT
    assert cluster.queries == []


def test_what_one_day_wrote_is_read_back_once_on_the_next(doors: Doors) -> None:
    step, cluster = day(doors)
    assert "kept: backup/" in step.destroy(Quiet())
    kept = keys(doors)[0].rpartition("/")[0]
    # The cluster that wrote it needs it no more, should the down end half way.
    assert step.probe().state is State.PRESENT
    step, cluster = day(doors)
    assert step.probe().state is State.DRIFTED
    assert kept in step.apply(Quiet())
    assert [query.split()[0] for query in cluster.queries] == ["RESTORE"]
    assert f"/{kept}')" in cluster.queries[0]
    # Langfuse has made its tables by then, and perhaps not as they were.
    assert cluster.queries[0].endswith("SETTINGS allow_non_empty_tables = true, allow_different_table_def = true")
    assert step.probe().state is State.PRESENT
    assert cluster.objects["ConfigMap", MARK]["data"] == {"backup": kept}
    assert ("Job", "clickhouse-restore") not in cluster.objects


def test_a_new_backup_takes_the_place_of_the_old_one(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    for stamp in ("20260101-180000", "20260102-180000"):
        monkeypatch.setattr("genai_platform.steps.keep.time.strftime", lambda *_, stamp=stamp: stamp)
        step, _ = day(doors)
        if step.probe().state is State.DRIFTED:
            step.apply(Quiet())
        step.destroy(Quiet())
    assert keys(doors) == ["backup/20260102-180000/.backup", "backup/20260102-180000/data/1"]


def test_what_was_never_read_back_is_not_replaced_by_an_empty_day(doors: Doors) -> None:
    step, _ = day(doors)
    step.destroy(Quiet())
    before = keys(doors)
    step, cluster = day(doors)
    assert "not read back" in step.destroy(Quiet())
    assert (keys(doors), cluster.queries) == (before, [])


def test_half_a_backup_is_none(doors: Doors) -> None:
    step, cluster = day(doors)
    cluster.forgets_the_end = True
    with pytest.raises(StepError, match="no whole backup"):
        step.destroy(Quiet())
    assert step.probe().evidence == "nothing was kept from an earlier day"


def test_a_refusal_is_told_in_clickhouses_words_with_both_ways_on(doors: Doors) -> None:
    step, cluster = day(doors)
    cluster.refuses = "Code: 499. DB::Exception: Access Denied"
    with pytest.raises(StepError, match="Access Denied") as caught:
        step.destroy(Quiet())
    assert "genai patch" in caught.value.remedy
    assert "--keep-data" in caught.value.remedy
    assert ("Job", "clickhouse-backup") not in cluster.objects


def test_a_down_of_everything_takes_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as doors:
        step, cluster = day(doors)
        assert "go with langfuse.chart" in step.destroy(Quiet())
        assert cluster.queries == []


def test_without_clickhouse_it_says_where_the_data_is(doors: Doors) -> None:
    step, _ = day(doors)
    step.destroy(Quiet())
    step, cluster = day(doors)
    cluster.objects.clear()
    found = step.probe()
    assert found.state is State.ABSENT
    assert "kept in backup/" in found.evidence


def test_it_goes_before_the_chart_and_is_not_left_standing(doors: Doors) -> None:
    graph = build(doors)
    ids, kept = for_down(graph, doors.target.settings)
    assert ids.index("data.traces") > ids.index("langfuse.chart")
    assert "data.traces" not in kept


@pytest.mark.parametrize(("how", "waits"), [("values", False), ("patch", True), ("none", False)])
def test_nothing_restarts_clickhouse_while_it_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, waits: bool) -> None:
    with world(tmp_path, monkeypatch, langfuse={"post_install": how}) as doors:
        graph = build(doors)
        assert graph.needs("data.traces") == (("langfuse.chart", "patch.disk") if waits else ("langfuse.chart",))
        ids, _ = for_down(graph, doors.target.settings)
        assert ids.index("data.traces") > ids.index("langfuse.chart")
