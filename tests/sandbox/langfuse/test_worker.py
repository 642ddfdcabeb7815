"""What the worker does with a batch that cannot be stored at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from genai_platform.sandbox.langfuse.clickhouse import StoreError, Unreachable
from genai_platform.sandbox.langfuse.worker import Worker

GOOD = {"id": "e1", "type": "trace-create", "body": {"id": "t1", "name": "chat"}}
BAD = {"id": "e2", "type": "generation-create", "body": {"id": "o1", "traceId": "t1", "usageDetails": {"input": float("inf")}}}


class Over(BaseException):
    """The queue is empty: the test is over."""


class World:
    """Queue, event files and store in one."""

    def __init__(self, *batches: list[dict[str, Any]], faults: Sequence[Exception] = ()) -> None:
        self.batches = {f"{number}.json": {"events": events} for number, events in enumerate(batches)}
        self.waiting = [json.dumps({"project": "p", "kind": "ingestion", "key": key}) for key in self.batches]
        self.faults = list(faults)
        self.read: list[str] = []
        self.stored: list[str] = []
        self.finished: list[bool] = []

    def recover(self) -> int:
        return 0

    def pop(self, seconds: int) -> str | None:
        if not self.waiting:
            raise Over
        return self.waiting.pop(0)

    def done(self, job: str, *, failed: bool = False) -> None:
        self.finished.append(not failed)

    def put(self, key: str, document: Any) -> None:
        raise NotImplementedError

    def get(self, key: str) -> Any:
        self.read.append(key)
        return self.batches[key]

    def select(self, statement: str) -> list[dict[str, Any]]:
        return []

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows and self.faults:
            raise self.faults.pop(0)
        self.stored += [row["id"] for row in rows]

    def healthy(self) -> None:
        """It is."""


def run(world: World) -> None:
    with pytest.raises(Over):
        Worker(world, world, world, pause=0).run()


def test_a_batch_waits_for_a_store_that_is_being_restarted() -> None:
    world = World([GOOD], faults=[Unreachable("no answer")] * 15)
    run(world)
    assert (world.stored, world.finished) == (["t1"], [True])


def test_what_the_store_refuses_is_tried_a_few_times_and_set_aside() -> None:
    world = World([GOOD], [GOOD], faults=[StoreError("no such table")] * 5)
    run(world)
    assert (world.stored, world.finished) == (["t1"], [False, True])


def test_what_makes_no_sense_is_set_aside_at_once_and_holds_up_nobody() -> None:
    world = World([BAD], [GOOD])
    run(world)
    assert world.read == ["0.json", "1.json"]
    assert (world.stored, world.finished) == (["t1"], [False, True])
