"""What ClickHouse holds, over the night: backed up and tried, seen, read back once, never replaced by less."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.steps.catalog import build, for_down
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import writers
from genai_platform.steps.langfuse.backups import Backups
from tests.steps.clickhouse_world import BUCKET, Engine, day
from tests.tools.aws_world import Quiet, world


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with bucket(tmp_path, monkeypatch) as made:
        yield made


def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def opened() -> Any:
        stamps = iter(f"2026010{number}-180000" for number in range(1, 9))
        clock = SimpleNamespace(gmtime=lambda: None, strftime=lambda *_: next(stamps))
        monkeypatch.setattr("genai_platform.steps.langfuse.backups.time", clock)
        with world(tmp_path, monkeypatch, lifecycle={"down": "keep-data", **settings.pop("lifecycle", {})}, **settings) as made:
            made.aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
            yield made

    return opened()


def names(clients: Clients) -> list[str]:
    keys = [entry["Key"] for entry in clients.aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return sorted({key.split("/")[1] for key in keys})


def evening(clients: Clients, **rows: int) -> Engine:
    """A day with these rows, kept."""
    engine = Engine(rows={"traces": 0, "observations": 0, "scores": 0} | rows)
    day(clients, engine)[0].destroy(Quiet())
    return engine


# -- a day and the next ---------------------------------------------------------------------------------
def test_with_nothing_kept_it_says_what_clickhouse_holds(clients: Clients) -> None:
    step, _ = day(clients, Engine(rows={"traces": 3}))
    found = step.observe()
    assert found.state is State.PRESENT
    assert "3 traces" in found.evidence


def test_what_one_day_wrote_is_read_back_once_on_the_next(clients: Clients) -> None:
    step, cluster = day(clients, Engine(rows={"traces": 190}))
    assert "190 traces" in step.destroy(Quiet())
    # The cluster that wrote it needs it no more, should the down end half way.
    assert step.observe().state is State.PRESENT
    step, cluster = day(clients)
    assert step.observe().state is State.DRIFTED
    assert "read back from backup/" in step.apply(Quiet())
    assert step.observe().state is State.PRESENT
    assert cluster.engine.rows["traces"] == 190
    # Langfuse has made its tables by then, and perhaps not as they were.
    (restore,) = [one for one in cluster.engine.statements if one.startswith("RESTORE")]
    assert "allow_non_empty_tables = true, allow_different_table_def = true" in restore
    assert ("Job", "clickhouse-restore") not in cluster.objects


def test_the_last_two_backups_stay(clients: Clients) -> None:
    evening(clients, traces=10)
    for more in (20, 30):
        step, cluster = day(clients)
        step.apply(Quiet())
        cluster.engine.rows["traces"] += more
        step.destroy(Quiet())
    assert names(clients) == ["20260102-180000", "20260103-180000"]
    last = Backups(clients).last()
    assert last is not None
    assert (last.rows or {})["traces"] == 60
    assert (last.line, last.langfuse) == (1, "3.224.1")


# -- the lost volume ------------------------------------------------------------------------------------
def test_a_lost_volume_is_seen_and_read_back(clients: Clients) -> None:
    evening(clients, traces=190)
    step, cluster = day(clients)
    step.apply(Quiet())
    cluster.engine.lose_the_volume()
    found = step.observe()
    assert found.state is State.DRIFTED
    assert re.search(r"no tables.*backup/20260101-180000 \(190 traces\) is read back by genai up", found.evidence)
    step.apply(Quiet())
    assert cluster.engine.rows["traces"] == 190
    # Without its tables Langfuse answers 500: it makes them when it starts.
    assert "restart langfuse-web" in cluster.happened
    assert step.observe().state is State.PRESENT


@pytest.mark.parametrize("line", [1, 2])
def test_a_lost_volume_is_seen_at_a_glance(clients: Clients, line: int) -> None:
    evening(clients, traces=190)
    step, cluster = day(clients, line=line)
    step.apply(Quiet())
    before = len(cluster.happened)
    assert step.glance().state is State.PRESENT
    cluster.engine.lose_the_volume()
    found = step.glance()
    assert (found.state, "no tables" in found.evidence) == (State.DRIFTED, True)
    step.apply(Quiet())
    assert (step.glance().state, len(cluster.happened) > before) == (State.PRESENT, True)
    cluster.engine.claim["phase"] = "Lost"
    assert step.glance().state is State.DRIFTED


def test_a_lost_volume_with_todays_traces_on_the_new_one_is_seen_by_what_clickhouse_says_of_itself(clients: Clients) -> None:
    evening(clients, traces=190)
    step, cluster = day(clients)
    step.apply(Quiet())
    cluster.engine.lose_the_volume()
    cluster.engine.tables, cluster.engine.rows = 12, {"traces": 500}
    assert step.observe().state is State.DRIFTED


def test_a_lost_volume_and_an_evening_lose_nothing(clients: Clients) -> None:
    evening(clients, traces=190)
    step, cluster = day(clients)
    step.apply(Quiet())
    cluster.engine.lose_the_volume()
    assert "kept: backup/20260101-180000" in step.destroy(Quiet())
    assert names(clients) == ["20260101-180000"]


def test_what_came_after_a_lost_volume_is_kept_beside_what_was_kept_before(clients: Clients) -> None:
    evening(clients, traces=190)
    step, cluster = day(clients)
    step.apply(Quiet())
    cluster.engine.lose_the_volume()
    cluster.engine.tables, cluster.engine.rows = 12, {"traces": 7}
    assert "197 traces" in step.destroy(Quiet())
    assert names(clients) == ["20260101-180000", "20260102-180000"]


def test_a_new_volume_on_the_first_day_has_langfuse_start_again(clients: Clients) -> None:
    step, cluster = day(clients)
    cluster.engine.lose_the_volume()
    assert step.observe().state is State.DRIFTED
    step.apply(Quiet())
    assert step.observe().state is State.PRESENT


def test_what_was_never_read_back_is_not_replaced_by_an_empty_day(clients: Clients) -> None:
    evening(clients, traces=5)
    step, cluster = day(clients)
    assert "not read back" in step.destroy(Quiet())
    assert (names(clients), cluster.engine.statements) == (["20260101-180000"], [])


# -- never a worse one ----------------------------------------------------------------------------------
def test_less_than_was_kept_is_refused_with_the_ways_on(clients: Clients) -> None:
    engine = evening(clients, traces=190, scores=4)
    engine.rows["traces"] = 20
    step, cluster = day(clients, engine)
    with pytest.raises(StepError, match="traces 190 -> 20; nothing was replaced") as caught:
        step.destroy(Quiet())
    assert "lifecycle.backup=smaller" in str(caught.value.remedy)
    assert "lifecycle.backup=last" in str(caught.value.remedy)
    assert names(clients) == ["20260101-180000"]
    assert cluster.happened == []  # Langfuse still serves


def test_what_somebody_deleted_may_be_missing(clients: Clients) -> None:
    engine = evening(clients, traces=190)
    engine.rows["traces"], engine.deleted_from = 20, ["traces"]
    assert "20 traces" in day(clients, engine)[0].destroy(Quiet())


@pytest.mark.parametrize(("how", "left"), [("smaller", ["20260101-180000", "20260102-180000"]), ("last", ["20260101-180000"])])
def test_both_ways_on_lose_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, left: list[str]) -> None:
    with bucket(tmp_path, monkeypatch, lifecycle={"backup": how}) as clients:
        engine = evening(clients, traces=190)
        engine.rows["traces"] = 20
        day(clients, engine)[0].destroy(Quiet())
        assert names(clients) == left


def test_a_backup_that_does_not_give_back_what_it_should_is_not_used(clients: Clients) -> None:
    engine = evening(clients, traces=190)
    engine.damages = True
    engine.rows["traces"] = 200
    step, _ = day(clients, engine)
    with pytest.raises(StepError, match="traces 200 -> 100"):
        step.destroy(Quiet())
    last = Backups(clients).last()
    assert last is not None
    assert last.name == "backup/20260101-180000"


def test_a_backup_whose_end_was_never_written_is_none(clients: Clients) -> None:
    clients.aws.client("s3").put_object(Bucket=BUCKET, Key="backup/20260101-000000/data/rows")
    step, _ = day(clients)
    assert "nothing was kept" in step.observe().evidence


def test_what_an_earlier_version_kept_is_read_back_too(clients: Clients) -> None:
    s3 = clients.aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="backup/20251231-180000/data/rows", Body=b'{"traces": 9}')
    s3.put_object(Bucket=BUCKET, Key="backup/20251231-180000/.backup")
    step, cluster = day(clients)
    step.apply(Quiet())
    assert cluster.engine.rows["traces"] == 9
    step.destroy(Quiet())
    assert names(clients) == ["20251231-180000", "20260101-180000"]


# -- the writers ----------------------------------------------------------------------------------------
def test_what_is_queued_is_stored_before_the_backup(clients: Clients) -> None:
    step, cluster = day(clients, Engine(rows={"traces": 1}))
    cluster.queued = 2
    assert "3 traces" in step.destroy(Quiet())
    order = ["langfuse-web to 0", "2 queued", "0 queued", "langfuse-worker to 0", "backup"]
    assert cluster.happened == order


def test_a_queue_that_does_not_run_empty_is_told(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_DRAINED", 0.0)
    step, cluster = day(clients)
    cluster.queued, cluster.stuck = 4, True
    with pytest.raises(StepError, match="4 batches still wait in Redis") as caught:
        step.destroy(Quiet())
    assert "genai logs langfuse-worker" in str(caught.value.remedy)
    assert "backup" not in cluster.happened


def test_what_was_stopped_for_a_backup_is_started_again(clients: Clients) -> None:
    step, cluster = day(clients)
    step.destroy(Quiet())
    kube: Any = cluster
    assert writers.stopped(kube) == ["langfuse-web", "langfuse-worker"]
    writers.start(kube)
    assert writers.stopped(kube) == []


def test_litellm_ends_before_the_backup_and_does_not_wait_for_it_in_the_morning(clients: Clients) -> None:
    graph = build(clients)
    assert "litellm.proxy" in graph.removed_before("langfuse.traces")
    assert "langfuse.traces" not in graph.needs("litellm.proxy")


# -- refusals -------------------------------------------------------------------------------------------
def test_a_refusal_is_told_in_clickhouses_words_with_both_ways_on(clients: Clients) -> None:
    step, cluster = day(clients)
    cluster.engine.refuses = "Code: 499. DB::Exception: Access Denied"
    with pytest.raises(StepError, match="Access Denied") as caught:
        step.destroy(Quiet())
    assert "--keep-data" in str(caught.value.remedy)
    assert not [name for kind, name in cluster.objects if kind == "Job"]
    assert observe(step).state is State.UNKNOWN


def test_a_down_of_everything_takes_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        step, cluster = day(clients)
        assert "go with langfuse.chart" in step.destroy(Quiet())
        assert cluster.happened == []


def test_without_clickhouse_it_says_where_the_data_is(clients: Clients) -> None:
    evening(clients, traces=1)
    step, cluster = day(clients)
    cluster.objects.clear()
    found = step.observe()
    assert found.state is State.ABSENT
    assert "kept in backup/" in found.evidence


def test_it_goes_before_the_chart_and_is_not_left_standing(clients: Clients) -> None:
    graph = build(clients)
    ids, kept = for_down(graph, clients.target.settings)
    assert ids.index("langfuse.traces") > ids.index("langfuse.chart")
    assert "langfuse.traces" not in kept


@pytest.mark.parametrize(("how", "waits"), [("values", False), ("patch", True), ("none", False)])
def test_nothing_restarts_clickhouse_while_it_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, waits: bool) -> None:
    with world(tmp_path, monkeypatch, langfuse={"post_install": how}) as clients:
        graph = build(clients)
        assert graph.needs("langfuse.traces") == (("langfuse.chart", "patch.disk") if waits else ("langfuse.chart",))
        ids, _ = for_down(graph, clients.target.settings)
        assert ids.index("langfuse.traces") > ids.index("langfuse.chart")
