"""data.traces: ClickHouse's tables over the night: backed up by ``down --keep-data``, read back by the next ``up``.

The disk's own objects are useless without the volume that names them, so ClickHouse writes a backup of its own beside
them. Nothing outside the cluster reaches ClickHouse: a short job asks it. Which backup a ClickHouse holds already stands
in a config map, which goes together with the cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from genai_platform.config.target import NAMESPACE
from genai_platform.errors import GenaiError, StepError
from genai_platform.graph.step import Change, Finding, Progress, State, Step
from genai_platform.render import clickhouse_job, langfuse
from genai_platform.render.langfuse import BACKUP_PREFIX
from genai_platform.render.manifests import Document
from genai_platform.steps.doors import Doors
from genai_platform.tools import aws_buckets, kube_wait
from genai_platform.tools.aws import explained
from genai_platform.tools.kube import ClusterAbsent

MARK = "langfuse-kept-data"
"""The config map that says which backup ClickHouse holds."""
_TABLES = "default"
RESTORE_SETTINGS = "allow_non_empty_tables = true, allow_different_table_def = true"
"""Langfuse made its tables when it started: the kept rows come beside what was written since, and a table need not have been
made as it was (a newer Langfuse adds columns), only so that it can take the rows."""
_COMPLETE = "/.backup"
"""ClickHouse writes this file last: without it a backup is none."""


def steps(doors: Doors) -> list[Step]:
    """The one step of this family. Where the disk is mounted after the install, that restarts ClickHouse: not during a restore."""
    by_hand = doors.target.settings.langfuse.post_install == "patch"
    return [TracesStep(doors, ("langfuse.chart", "patch.disk") if by_hand else ("langfuse.chart",))]


@dataclass(frozen=True)
class TracesStep:
    """What Langfuse stored in ClickHouse. Present when nothing was kept, or when what was kept has been read back."""

    doors: Doors
    needs: tuple[str, ...] = ("langfuse.chart",)
    minutes: float = 0.5
    limit: float = 3600

    @property
    def id(self) -> str:
        return "data.traces"

    # -- looking ----------------------------------------------------------------------------------
    def probe(self) -> Finding:
        try:
            kept = self._kept()
            if not self._runs():
                return Finding(State.ABSENT, f"ClickHouse does not run; its data is kept in {kept}" if kept else "ClickHouse does not run")
            if kept is None:
                return Finding(State.PRESENT, "nothing was kept from an earlier day")
            if self._held() == kept:
                return Finding(State.PRESENT, f"ClickHouse holds what was kept in {kept}")
            return Finding(State.DRIFTED, f"{kept} was not read back yet")
        except ClusterAbsent:
            return Finding(State.ABSENT, "there is no cluster")
        except GenaiError as error:
            return Finding(State.UNKNOWN, error.message, error.remedy)

    def plan(self) -> Sequence[Change]:
        found = self.probe()
        what = "tables of ClickHouse"
        return [Change("none" if found.state is State.PRESENT else "update", what, found.evidence)]

    def _runs(self) -> bool:
        kube = self.doors.kube
        if not kube.exists():
            return False
        if self._line == 2:
            return kube.get("clickhouse.com/v1alpha1", "ClickHouseCluster", langfuse.RELEASE, NAMESPACE) is not None
        return kube.get("apps/v1", "StatefulSet", langfuse.CLICKHOUSE_STATEFUL_SET, NAMESPACE) is not None

    def _kept(self) -> str | None:
        """The newest whole backup, e.g. ``backup/20260102-180000``."""
        if not self.doors.terraform.state.resources("storage"):
            return None
        bucket = self.doors.storage().clickhouse_bucket
        return next(iter(sorted(self._whole(bucket), reverse=True)), None)

    def _whole(self, bucket: str) -> Iterator[str]:
        for name in self._backups(bucket):
            if self._keys(bucket, f"{name}{_COMPLETE}"):
                yield name

    def _backups(self, bucket: str) -> list[str]:
        with explained(f"list the backups in {bucket}"):
            pages = self.doors.aws.client("s3").get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=BACKUP_PREFIX, Delimiter="/"
            )  # fmt: skip
            return [str(entry["Prefix"]).rstrip("/") for page in pages for entry in page.get("CommonPrefixes", [])]

    def _keys(self, bucket: str, prefix: str) -> list[str]:
        with explained(f"list the backups in {bucket}"):
            found = self.doors.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return [str(entry["Key"]) for entry in found.get("Contents", [])]

    def _held(self) -> str | None:
        found = self.doors.kube.get("v1", "ConfigMap", MARK, NAMESPACE)
        return ((found or {}).get("data") or {}).get("backup")

    # -- doing ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        kept = self._kept()
        if kept is None:
            return "nothing was kept from an earlier day"
        progress.say(f"reading {kept} back into ClickHouse")
        self._ask(f"RESTORE DATABASE {_TABLES} FROM {self._place(kept)} SETTINGS {RESTORE_SETTINGS}", "restore", progress)
        self._mark(kept)
        return f"read back from {kept}"

    def destroy(self, progress: Progress) -> str:
        if self.doors.target.settings.lifecycle.down != "keep-data":
            return "ClickHouse's tables go with langfuse.chart"
        bucket, kept = self.doors.storage().clickhouse_bucket, self._kept()
        if kept is not None and self._held() != kept:
            return f"kept: {kept}, which was not read back since"
        name = f"{BACKUP_PREFIX}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        progress.say(f"ClickHouse writes {name}")
        self._ask(f"BACKUP DATABASE {_TABLES} TO {self._place(name)}", "backup", progress)
        if not self._keys(bucket, f"{name}{_COMPLETE}"):
            raise StepError(f"ClickHouse said that {name} is written, but {bucket} has no whole backup there", id="data.backup")
        self._mark(name)
        for older in self._backups(bucket):
            if older != name:
                aws_buckets.empty(self.doors.aws, bucket, progress, only=f"{older}/")
        return f"kept: {name} in {bucket}"

    def _place(self, name: str) -> str:
        """Where a backup lies, in ClickHouse's words. Its pod's role is what it signs with."""
        bucket = self.doors.storage().clickhouse_bucket
        url = langfuse.backup_endpoint(self.doors.target, bucket, name.removeprefix(BACKUP_PREFIX))
        return f"S3('{url}')"

    def _mark(self, name: str) -> None:
        head: Document = {"name": MARK, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "genai"}}
        self.doors.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": {"backup": name}})

    def _ask(self, query: str, what: str, progress: Progress) -> None:
        """Run one statement by a job.

        Raises:
            StepError: ClickHouse refused it; the message has its own words.
        """
        kube, name = self.doors.kube, f"clickhouse-{what}"
        kube_wait.delete(kube, "batch/v1", "Job", name, NAMESPACE, progress)
        kube.create(_job(name, query, self._line, int(self.limit)))
        try:
            kube_wait.job(kube, name, NAMESPACE, progress, self.limit)
        except StepError as error:
            other = " (to remove everything all the same, run it without --keep-data)" if what == "backup" else ""
            remedy = f"without its role ClickHouse cannot reach the bucket: run genai patch, then the same command again{other}"
            raise StepError(f"the {what} of ClickHouse's tables failed: {error.message}", remedy=remedy, id=f"data.{what}") from None
        finally:
            kube.delete("batch/v1", "Job", name, NAMESPACE)

    @property
    def _line(self) -> Literal[1, 2]:
        return self.doors.target.settings.langfuse.chart.line


def _job(name: str, query: str, line: Literal[1, 2], seconds: int) -> Document:
    # A second try would find the half of the first.
    return clickhouse_job.job(
        name, purpose="genai-keep-data", script=_SCRIPT, line=line, tries=0, seconds=seconds, variables={"QUERY": query}
    )  # fmt: skip


_SCRIPT = """\
for turn in range(60):
    try:
        with opener.open(request(os.environ["QUERY"]), timeout=3600) as answer:
            print(answer.read().decode())
        sys.exit(0)
    except urllib.error.HTTPError as error:
        print(error.read().decode(errors="replace")[:2000])
        sys.exit(1)
    except urllib.error.URLError as error:
        # It is still starting.
        print(error.reason)
        time.sleep(2)
sys.exit(1)
"""
