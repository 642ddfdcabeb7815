"""The real graph and the real scheduler on a clock that runs faster: what working at the same time saves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Pair
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.graph import Graph
from genai_platform.engine.scheduler import Scheduler
from genai_platform.engine.step import Observation, Progress, State
from genai_platform.steps.catalog import build, for_up
from genai_platform.steps.clients import Clients

_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class _Wait:
    """A step of the real graph that takes its typical time, and does nothing else."""

    id: str
    needs: tuple[str, ...]
    minutes: float
    second: float
    """Seconds that stand for a minute."""
    limit: float = 600.0

    def observe(self) -> Observation:
        return Observation(State.ABSENT, "not made yet")

    def apply(self, progress: Progress) -> str:
        time.sleep(self.minutes * self.second)
        return "made"

    def destroy(self, progress: Progress) -> str:
        return "gone"


def pairs(minute: float = 0.1) -> Iterator[Pair | str]:
    """``up`` of everything, Azure included, against its steps one after another and against its longest chain.

    Args:
        minute: seconds that stand for a minute on the real clouds.
    """
    azure = {"enabled": True, "tenant_id": _NOBODY, "subscription_id": _NOBODY, "resource_group": "none"}
    settings = Settings.model_validate({"azure": azure})
    real = build(Clients(Target("benchmark", settings, Endpoints(), Path())))
    chosen = for_up(real, settings)
    graph = Graph(_Wait(id, tuple(need for need in real.needs(id) if need in chosen.ids), real[id].minutes, minute) for id in chosen.ids)
    report = Scheduler(graph).apply(graph.select())
    serial = sum(graph[id].minutes for id in graph.ids) * minute
    path, longest = graph.critical_path()
    yield Pair(f"up, {len(graph)} steps, a minute in {minute:g} s", report.seconds, "one after another", serial)
    yield Pair(
        f"up, {len(graph)} steps, a minute in {minute:g} s", report.seconds, f"its longest chain ({len(path)} steps)", longest * minute
    )
