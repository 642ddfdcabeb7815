"""The worker process: takes batches from the queue, reads them from S3, writes them to ClickHouse."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.langfuse import ingestion, otel
from genai_platform.sandbox.langfuse.api import failure, unavailable
from genai_platform.sandbox.langfuse.clickhouse import ClickHouse, StoreError, Unreachable
from genai_platform.sandbox.langfuse.configuration import Configuration
from genai_platform.sandbox.langfuse.directory import Directory
from genai_platform.sandbox.langfuse.entities import TABLES, Tables, is_four, tables, write
from genai_platform.sandbox.langfuse.process import arguments, must, serve
from genai_platform.sandbox.langfuse.storage import RedisQueue, S3Events

log = logging.getLogger("langfuse-worker")
_OUTAGE, _REFUSAL, _NONSENSE = 20, 5, 1
"""How often a batch is tried, by what went wrong: two minutes and more for a store that is being restarted."""
_LONGEST = 8


def process(job: dict[str, Any], events: S3Events, store: ClickHouse, into: Tables = TABLES) -> int:
    """One batch: read it, make entities of its events, store them. Returns how many objects were written."""
    batch = events.get(job["key"])
    make = otel.entities if job["kind"] == "otel" else ingestion.entity
    shown = datetime.fromtimestamp(job["visible_from"], UTC) if "visible_from" in job else None
    return write(store, job["project"], [entity for event in batch["events"] for entity in make(event)], into, shown)


class Worker:
    """The loop. A batch that fails is tried again, then set aside."""

    def __init__(self, queue: RedisQueue, events: S3Events, store: ClickHouse, pause: float = 1.0, into: Tables = TABLES) -> None:
        self._queue, self._events, self._store, self._pause, self._into = queue, events, store, pause, into

    def run(self) -> None:
        while fault := failure(self._queue.recover):
            log.error("Redis is not available: %s", fault)
            time.sleep(self._pause)
        while True:
            try:
                text = self._queue.pop(5)
            except Exception as error:
                log.error("Redis is not available: %s", type(error).__name__)
                time.sleep(self._pause)
                continue
            if text is not None:
                self._work(text)

    def _work(self, text: str) -> None:
        failed = not self._stored(json.loads(text))
        if lost := failure(lambda: self._queue.done(text, failed=failed)):
            log.error("Redis is not available: %s", lost)

    def _stored(self, job: dict[str, Any]) -> bool:
        """Whether the batch was stored in the end."""
        attempt = 1
        while True:
            try:
                log.info("%s: %d objects", job["key"], process(job, self._events, self._store, self._into))
                return True
            except Exception as error:
                log.error("%s: attempt %d failed: %s: %s", job["key"], attempt, type(error).__name__, error)
                if attempt >= _tries(error):
                    return False
            time.sleep(self._pause * min(attempt, _LONGEST))
            attempt += 1


def _tries(error: Exception) -> int:
    if isinstance(error, (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)):
        return _NONSENSE
    refused = isinstance(error, (StoreError, ClientError)) and not isinstance(error, Unreachable)
    return _REFUSAL if refused else _OUTAGE


def backfill(directory: Directory, store: ClickHouse) -> None:
    """The background migration of Langfuse 4: once in the life of its database, over what ClickHouse holds at that moment."""
    while fault := failure(lambda: directory.once("backfill_events_historic", store.backfill)):
        log.error("backfill_events_historic: %s", fault)
        time.sleep(1)
    log.info("backfill_events_historic is done")


def main() -> None:
    options = arguments("langfuse-worker")
    configuration = must("read the configuration", lambda: Configuration.read(os.environ))
    directory, store, queue = Directory(configuration), ClickHouse(configuration), RedisQueue(configuration)
    four = is_four(options.version)
    must("connect to PostgreSQL", directory.healthy)
    # Web may still be migrating, or not have started: the tables are wanted by both.
    must("migrate ClickHouse", lambda: store.migrate(events=four))
    worker = Worker(queue, S3Events(configuration.events), store, into=tables(options.version, configuration.write_mode))
    if four and configuration.historic_backfill:
        threading.Thread(target=lambda: backfill(directory, store), daemon=True).start()
    threading.Thread(target=worker.run, daemon=True).start()

    def health(request: Request) -> Response:
        if faults := unavailable(PostgreSQL=directory.healthy, Redis=queue.healthy):
            return JSONResponse({"status": "error", "message": "; ".join(faults), "version": options.version}, 503)
        return JSONResponse({"status": "ok", "version": options.version})

    app = Starlette(routes=[Route("/api/health", health), Route("/api/ready", health)])
    serve(app, options.address, int(os.environ.get("PORT") or 3030))


if __name__ == "__main__":
    main()
