"""What ClickHouse itself says and does: what it holds, a backup, a backup tried by restoring it, a restore.

Nothing outside the cluster reaches ClickHouse: a short job asks it. Which backup a ClickHouse holds is written in
ClickHouse, so that the answer is lost with its volume, and only with it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from genai_platform.advice import advice, genai
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.errors import JobFailed, StepError
from genai_platform.render import clickhouse_job, clickhouse_scripts, langfuse
from genai_platform.steps.clients import Clients
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import Document, Kube

CLICKHOUSE_API = "clickhouse.com/v1alpha1"
_WORKLOADS: Mapping[Literal[1, 2], tuple[str, str, str, str]] = {
    1: ("apps/v1", "StatefulSet", langfuse.CLICKHOUSE_STATEFUL_SET, f"data-{langfuse.CLICKHOUSE_STATEFUL_SET}-"),
    2: (CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE, "clickhouse-storage-volume-"),
}
"""What runs ClickHouse and asks for its volumes, by chart line, and what the names of its claims begin with."""
_TOGETHER = timedelta(minutes=1)
"""A claim is made within seconds of what asks for it; where an operator took longer, ClickHouse is asked without need."""
DATABASE = "default"
COUNTED = ("traces", "observations", "scores", "dataset_run_items_rmt", "events_full")
"""The tables whose rows are what people would miss, of Langfuse 3 and 4. What Langfuse only stages elsewhere comes and goes."""
MARK = "genai.backups"
"""The table that names the backups this ClickHouse holds."""
SCRATCH = "genai_check"
"""The database a backup is tried in."""
RESTORE_SETTINGS = "allow_non_empty_tables = true, allow_different_table_def = true, allow_different_database_def = true"
"""Langfuse made its tables when it started: the kept rows are added to what was written since, and a table need not have been
made as it was (a newer Langfuse adds columns), only so that it can take the rows."""
LIMIT = 3600.0
_LOOK_LIMIT = 180.0
"""Seconds for a job that only asks: a node may have to fetch its image first."""
_SILENT = 10
"""How often a look asks a ClickHouse that does not answer, every 2 seconds."""


@dataclass(frozen=True)
class Contents:
    """What ClickHouse holds."""

    tables: int
    """How many tables Langfuse has there; 0 on a volume that Langfuse did not start on."""
    rows: Mapping[str, int]
    """Rows of the counted tables."""
    backup: str | None
    """The newest backup that this ClickHouse wrote or read back."""
    deleted_from: frozenset[str] = field(default_factory=frozenset)
    """Tables that somebody deleted rows from, through Langfuse or by hand."""

    @property
    def empty(self) -> bool:
        return not any(self.rows.values())

    def __str__(self) -> str:
        return counted(self.rows)


def counted(rows: Mapping[str, int]) -> str:
    """``190 traces, 380 observations``."""
    return ", ".join(f"{number} {name}" for name, number in rows.items() if number) or "no traces"


def fewer(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Tables that hold fewer rows than before: before and now."""
    return {name: (count, now.get(name, 0)) for name, count in before.items() if now.get(name, 0) < count}


def installed_line(kube: Kube) -> Literal[1, 2] | None:
    """The chart line whose ClickHouse exists, whatever is configured; ``None`` when there is none. Raises ``StepError``."""
    return next((line for line, (api, kind, name, _) in _WORKLOADS.items() if kube.get(api, kind, name, NAMESPACE) is not None), None)


def volume_state(kube: Kube, line: Literal[1, 2]) -> Literal["kept", "new", "lost"]:
    """Whether the volume is the one that ClickHouse began on, as Kubernetes alone tells. Raises ``StepError`` when it cannot be seen.

    Returns:
        ``lost``: a claim has lost its volume. ``new``: the oldest claim is younger than what asked for it, so there may have been an
        earlier volume. ``kept``: neither.
    """
    version, kind, name, prefix = _WORKLOADS[line]
    claims = [one for one in kube.list("v1", "PersistentVolumeClaim", NAMESPACE) if one["metadata"]["name"].startswith(prefix)]
    if any((one.get("status") or {}).get("phase") == "Lost" for one in claims):
        return "lost"
    workload, made = kube.get(version, kind, name, NAMESPACE), [_made(one) for one in claims]
    return "new" if workload and made and min(made) - _made(workload) > _TOGETHER else "kept"


def _made(document: Document) -> datetime:
    return datetime.fromisoformat(document["metadata"]["creationTimestamp"])


@dataclass(frozen=True)
class ClickHouse:
    """The one in the cluster. Every method raises ``StepError`` in ClickHouse's own words."""

    clients: Clients
    line: Literal[1, 2]

    def holds(self, progress: Progress, database: str = DATABASE) -> Contents:
        """Measured now."""
        variables = {"DATABASE": database, "MARK": MARK, "COUNTED": " ".join(COUNTED)}
        text = self._ask("holds", clickhouse_scripts.HOLDS, variables, progress, turns=_SILENT)
        try:
            said = json.loads(text.splitlines()[-1])
            rows = {name: int(count) for name, count in said["rows"].items()}
            return Contents(int(said["tables"]), rows, next(iter(said["backup"]), None), frozenset(said["deleted_from"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise StepError(f"the job that asks ClickHouse printed something else: {text[-200:]!r}", id="clickhouse.silent") from None

    def backup(self, place: str, progress: Progress) -> None:
        self._do("backup", progress, f"BACKUP DATABASE {DATABASE} TO {place}")

    def trial(self, place: str, progress: Progress) -> Mapping[str, int]:
        """What a backup really holds: it is restored into a database of its own, which goes again."""
        self._do(
            "trial", progress, f"DROP DATABASE IF EXISTS {SCRATCH} SYNC", f"CREATE DATABASE {SCRATCH}",
            f"RESTORE DATABASE {DATABASE} AS {SCRATCH} FROM {place} SETTINGS {RESTORE_SETTINGS}",
        )  # fmt: skip
        try:
            return self.holds(progress, SCRATCH).rows
        finally:
            self._do("trial", progress, f"DROP DATABASE IF EXISTS {SCRATCH} SYNC")

    def restore(self, place: str, progress: Progress) -> None:
        self._do("restore", progress, f"RESTORE DATABASE {DATABASE} FROM {place} SETTINGS {RESTORE_SETTINGS}")

    def mark(self, name: str, progress: Progress) -> None:
        """Say in ClickHouse that it holds this backup."""
        self._do(
            "mark", progress, f"CREATE DATABASE IF NOT EXISTS {MARK.partition('.')[0]}",
            f"CREATE TABLE IF NOT EXISTS {MARK} (name String, at DateTime64(3)) ENGINE = MergeTree ORDER BY at",
            f"INSERT INTO {MARK} SELECT '{name}', now64(3)",
        )  # fmt: skip

    def queued(self, host: str, port: int, progress: Progress) -> int:
        """How many batches wait for Langfuse's worker in Redis."""
        variables = {"REDIS_HOST": host, "REDIS_PORT": str(port)}
        text = self._ask("queues", clickhouse_scripts.QUEUES, variables, progress, password="redis-password")  # noqa: S106
        try:
            return int(json.loads(text.splitlines()[-1])["waiting"])
        except (ValueError, LookupError, TypeError):
            raise StepError(f"the job that asks Redis printed something else: {text[-200:]!r}", id="redis.silent") from None

    # -- the job ----------------------------------------------------------------------------------
    def _do(self, what: str, progress: Progress, *statements: str) -> None:
        try:
            # Never two of them: the one that a killed run left ends first.
            kube_wait.delete(self.clients.kube, "batch/v1", "Job", f"clickhouse-{what}", NAMESPACE, progress)
            self._run(f"clickhouse-{what}", LIMIT, clickhouse_scripts.STATEMENTS, {"STATEMENTS": json.dumps(statements)}, progress)
        except JobFailed as error:
            remedy = advice("without its role ClickHouse cannot reach the bucket: run {}, then the same command again", genai("patch"))
            raise StepError(f"the {what} of ClickHouse's tables failed: {error.message}", remedy=remedy, id=f"data.{what}") from None

    def _ask(self, what: str, script: str, variables: Mapping[str, str], progress: Progress, **more: Any) -> str:
        """The log of a job that changes nothing. Several commands may look at once: each has a job of its own."""
        return self._run(f"clickhouse-{what}-{secrets.token_hex(3)}", _LOOK_LIMIT, script, variables, progress, **more)

    def _run(
        self, name: str, limit: float, script: str, variables: Mapping[str, str], progress: Progress, *, turns: int = 60,
        password: str | None = None,
    ) -> str:  # fmt: skip
        """The log of one job, which goes when it has ended."""
        kube, more = self.clients.kube, {} if password is None else {"password": password}
        # A second try would find the half of the first.
        document = clickhouse_job.job(
            name, purpose="genai-keep-data", script=script, line=self.line, limits=clickhouse_job.Limits(0, int(limit)),
            variables={**variables, "TURNS": str(turns)}, **more,
        )  # fmt: skip
        kube.create(document)
        try:
            return kube_wait.job(kube, name, NAMESPACE, progress, limit)
        finally:
            kube.delete("batch/v1", "Job", name, NAMESPACE)
