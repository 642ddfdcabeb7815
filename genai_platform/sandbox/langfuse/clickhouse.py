"""Traces, observations and scores in ClickHouse, over its HTTP interface."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

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
# Langfuse 4 writes one row for everything, and the trace's own fields on each.
_EVENTS = """
    CREATE TABLE IF NOT EXISTS events_full (
        project_id String, id String, trace_id String, parent_observation_id String, type String, name String,
        timestamp DateTime64(3, 'UTC'), session_id String, user_id String, model String, usage_details Map(String, Int64),
        environment String, body String, event_ts DateTime64(6, 'UTC'), visible_from DateTime64(3, 'UTC')
    ) ENGINE = ReplacingMergeTree(event_ts) ORDER BY (project_id, id)
    """
_BACKFILL = (
    """
    INSERT INTO events_full SELECT project_id, concat('t-', id), id, '', 'SPAN', name, timestamp, session_id, user_id, '',
        CAST(map(), 'Map(String, Int64)'), environment, body, event_ts, timestamp
    FROM traces FINAL
    """,
    """
    INSERT INTO events_full SELECT o.project_id, o.id, o.trace_id, o.parent_observation_id, o.type, o.name, o.timestamp,
        if(o.session_id = '', t.session_id, o.session_id), if(o.user_id = '', t.user_id, o.user_id), o.model, o.usage_details,
        o.environment, o.body, o.event_ts, o.timestamp
    FROM (SELECT * FROM observations FINAL) AS o
    LEFT JOIN (SELECT project_id, id, session_id, user_id FROM traces FINAL) AS t ON t.project_id = o.project_id AND t.id = o.trace_id
    """,
)


class StoreError(Exception):
    """ClickHouse did not answer, or refused. The message is its own first line."""


class Unreachable(StoreError):
    """Nothing answers at its address, or not yet."""


class ClickHouse:
    def __init__(self, configuration: Configuration) -> None:
        self._client = httpx.Client(
            base_url=configuration.clickhouse,
            headers={"X-ClickHouse-User": configuration.clickhouse_user, "X-ClickHouse-Key": configuration.clickhouse_password},
            params={"database": configuration.clickhouse_database},
            timeout=30,
            trust_env=False,
        )

    def migrate(self, *, events: bool = False) -> None:
        """Make the tables, with ``events`` those of Langfuse 4, too.

        ClickHouse starts at the same time: it is waited for, but a refusal is final.
        """
        until = time.monotonic() + 60
        while True:
            try:
                self.healthy()
                break
            except Unreachable as error:
                if time.monotonic() > until:
                    raise
                log.warning("%s; waiting", error)
                time.sleep(1)
        for statement in (*_TABLES, *([_EVENTS] if events else [])):
            self._send(statement)

    def backfill(self) -> None:
        """Rewrite what Langfuse 3 wrote as Langfuse 4 would have."""
        for statement in _BACKFILL:
            self._send(statement)

    def select(self, statement: str) -> list[Row]:
        return [json.loads(line) for line in self._send(f"{statement} FORMAT JSONEachRow").splitlines() if line]

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            self._send(f"INSERT INTO {table} FORMAT JSONEachRow\n{lines}")

    def healthy(self) -> None:
        """Raises ``StoreError`` when it does not answer or refuses this user."""
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
