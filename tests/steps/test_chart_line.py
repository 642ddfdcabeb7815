"""From Langfuse 3 to Langfuse 4: refused where it would lose the traces, and in the right order where it keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from genai_platform.cli import preflight
from genai_platform.engine.graph import Selection
from genai_platform.errors import ConfigError, StepError
from genai_platform.render.chart import ChartSource, support
from genai_platform.steps.catalog import build
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import chart_line
from genai_platform.steps.langfuse.backups import Backup, Backups
from genai_platform.tools.helm.client import Release, ResolvedChart
from tests.steps.clickhouse_world import BUCKET, Cluster, Engine, day
from tests.steps.test_langfuse_chart import Opened, chart
from tests.tools.aws_world import Quiet, world


class Releases:
    """Helm, with one release or none."""

    def __init__(self, version: str | None) -> None:
        self._version = version

    def release(self, name: str, namespace: str) -> Release | None:
        return None if self._version is None else cast(Release, type("Installed", (), {"version": self._version, "status": "deployed"}))


@pytest.fixture
def open_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from contextlib import ExitStack

    with ExitStack() as stack:

        def made(version: str, installed: str | None = None, line: int = 1) -> tuple[Clients, Cluster]:
            settings = {"langfuse": {"chart": {"version": version}}, "lifecycle": {"down": "keep-data"}}
            clients = stack.enter_context(world(tmp_path, monkeypatch, **settings))
            clients.aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
            _, cluster = day(clients, Engine(rows={"traces": 5}), line)
            clients.helm = cast(Any, Releases(installed))
            return clients, cluster

        yield made


def kept(clients: Clients, line: Any, version: str) -> None:
    clients.aws.client("s3").put_object(Bucket=BUCKET, Key="backup/20260101-180000/.backup")
    clients.aws.client("s3").put_object(Bucket=BUCKET, Key="backup/20260101-180000/data/rows", Body=b'{"traces": 9}')
    Backups(clients).record(Backup("backup/20260101-180000", {"traces": 9}, line, version))


@pytest.mark.parametrize(("installed", "wanted"), [("1.5.41", "2.0.0"), ("2.0.0", "1.5.41")])
def test_another_line_than_the_installed_one_is_refused(open_state: Any, installed: str, wanted: str) -> None:
    clients, _ = open_state(wanted, installed)
    with pytest.raises(ConfigError, match=f"chart {installed} is installed") as caught:
        chart_line.refuse(clients)
    assert "genai down" in caught.value.remedy


def test_it_is_asked_before_langfuse_is_touched(open_state: Any) -> None:
    clients, cluster = open_state("2.0.0", "1.5.41")
    run: Any = SimpleNamespace(clients=clients, graph=build(clients))
    with pytest.raises(ConfigError, match=r"chart 1\.5\.41 is installed"):
        preflight.world(run, Selection(("langfuse.chart",)))
    assert cluster.happened == []


def test_another_chart_of_the_same_line_is_not_refused(open_state: Any) -> None:
    clients, _ = open_state("1.5.42", "1.5.41")
    chart_line.refuse(clients)


@pytest.mark.parametrize(
    ("line", "version", "wanted", "words"),
    [(2, "4.4.0", "1.5.41", "cannot read back"), (1, "3.135.0", "2.0.0", "takes over from 3.224.1")],
)
def test_a_backup_that_the_wanted_line_cannot_read_is_refused(
    open_state: Any, line: int, version: str, wanted: str, words: str
) -> None:  # fmt: skip
    clients, _ = open_state(wanted)
    kept(clients, line, version)
    with pytest.raises(ConfigError, match=words):
        chart_line.refuse(clients)


def test_what_langfuse_3_wrote_is_rewritten_only_after_it_was_read_back(open_state: Any) -> None:
    clients, cluster = open_state("2.0.0", line=2)
    kept(clients, 1, "3.224.1")
    chart_line.refuse(clients)
    chart_line.hold(clients)
    assert cluster.objects["ConfigMap", "langfuse-migration"]["data"] == {"historic-backfill": "false"}
    step, again = day(clients, line=2)
    again.objects["ConfigMap", "langfuse-migration"] = cluster.objects["ConfigMap", "langfuse-migration"]
    step.apply(Quiet())
    assert again.objects["ConfigMap", "langfuse-migration"]["data"] == {"historic-backfill": "true"}
    assert again.happened == ["restore", "restart langfuse-worker"]


def test_it_is_held_before_langfuse_4_is_installed(open_state: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clients, cluster = open_state("2.0.0", line=2)
    kept(clients, 1, "3.224.1")
    held: list[Any] = []

    class Installing(Releases):
        def resolve(self, source: ChartSource, limit: float = 90) -> ResolvedChart:
            return ResolvedChart(source, "langfuse", source.version, {})

        def install_or_upgrade(self, *_: Any) -> None:
            held.append(cluster.objects.get(("ConfigMap", "langfuse-migration")))
            raise StepError("enough")

    cluster.objects["Ingress", "langfuse"] = {"status": {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}}
    clients.helm = cast(Any, Installing(None))
    monkeypatch.setattr(clients, "outputs", lambda: Opened.outputs(cast(Opened, clients)))
    with pytest.raises(StepError, match="enough"):
        chart(clients).apply(Quiet())
    assert held[0]["data"] == {"historic-backfill": "false"}


def test_with_nothing_of_langfuse_3_nothing_is_held(open_state: Any) -> None:
    clients, cluster = open_state("2.0.0", line=2)
    chart_line.hold(clients)
    kept(clients, 2, "4.4.0")
    chart_line.hold(clients)
    assert ("ConfigMap", "langfuse-migration") not in cluster.objects


def test_the_installed_clickhouse_is_backed_up_whatever_line_is_configured(open_state: Any) -> None:
    clients, cluster = open_state("2.0.0", "1.5.41")
    step, _ = day(clients, cluster.engine)
    assert "5 traces" in step.destroy(Quiet())
    last = Backups(clients).last()
    assert last is not None
    assert last.line == 1


def test_the_end_of_security_fixes_is_said_with_the_way_on(open_state: Any) -> None:
    clients, _ = open_state("1.5.41")
    before, after = support(clients.target.settings, date(2026, 11, 29)), support(clients.target.settings, date(2027, 2, 1))
    assert before is not None
    assert after is not None
    assert "until 2027-01-31" in before
    assert "since 2027-01-31" in after
    assert "genai down --keep-data" in before
