"""Traces, observations and scores in ClickHouse, over its HTTP interface."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

from genai_platform.sandbox.langfuse.configuration import Configuration

Row = dict[str, Any]
log = logging.getLogger("langfuse")

# Ordinary MergeTree tables that name no storage policy: they take the server's own, which may put them on S3.
_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS traces (
        project_id String, id String, timestamp DateTime64(3, 'UTC'), name String, user_id String, session_id String,
        tags Array(String), environment String, body String, event_ts DateTime64(6, 'UTC')
    ) ENGINE = ReplacingMergeTree(event_ts) ORDER BY (project_id, id)
    """,
    """
    CREATE TABLE IF NOT EXISTS observations (
        project_id String, id String, trace_id String, parent_observation_id String, type String, name String,
        timestamp DateTime64(3, 'UTC'), session_id String, user_id String, model String, usage_details Map(String, Int64),
        environment String, body String, event_ts DateTime64(6, 'UTC')
    ) ENGINE = ReplacingMergeTree(event_ts) ORDER BY (project_id, id)
    """,
    """
    CREATE TABLE IF NOT EXISTS scores (
        project_id String, id String, trace_id String, name String, timestamp DateTime64(3, 'UTC'), environment String,
        body String, event_ts DateTime64(6, 'UTC')
    ) ENGINE = ReplacingMergeTree(event_ts) ORDER BY (project_id, id)
    """,
)


class StoreError(Exception):
    """ClickHouse did not answer, or refused. The message is its own first line."""


class Unreachable(StoreError):
    """Nothing answers at its address, or not yet."""


class Store(Protocol):
    """What reading and writing need of ClickHouse."""

    def select(self, statement: str) -> list[Row]: ...

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def healthy(self) -> None:
        """Raises when it does not answer or refuses this user."""


class ClickHouse:
    """The real one."""

    def __init__(self, configuration: Configuration) -> None:
        self._client = httpx.Client(
            base_url=configuration.clickhouse,
            headers={"X-ClickHouse-User": configuration.clickhouse_user, "X-ClickHouse-Key": configuration.clickhouse_password},
            params={"database": configuration.clickhouse_database},
            timeout=30,
            trust_env=False,
        )

    def migrate(self, patience: float = 60) -> None:
        """Make the tables. ClickHouse starts beside us: it is waited for, but a refusal is final."""
        until = time.monotonic() + patience
        while True:
            try:
                self.healthy()
                break
            except Unreachable as error:
                if time.monotonic() > until:
                    raise
                log.warning("%s; waiting", error)
                time.sleep(1)
        for statement in _TABLES:
            self._send(statement)

    def select(self, statement: str) -> list[Row]:
        return [json.loads(line) for line in self._send(f"{statement} FORMAT JSONEachRow").splitlines() if line]

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            self._send(f"INSERT INTO {table} FORMAT JSONEachRow\n{lines}")

    def healthy(self) -> None:
        self._send("SELECT 1 FORMAT JSONEachRow")

    def _send(self, statement: str) -> str:
        try:
            answer = self._client.post("/", content=statement.encode())
        except httpx.HTTPError as error:
            raise Unreachable(f"ClickHouse at {self._client.base_url} does not answer: {type(error).__name__}: {error}") from None
        if answer.status_code != 200:
            first = answer.text.strip().splitlines()[:1]
            raise StoreError(f"ClickHouse answered {answer.status_code}: {''.join(first)[:500]}")
        return answer.text


def literal(value: str) -> str:
    """Text as a ClickHouse string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "") + "'"
