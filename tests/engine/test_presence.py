"""How long steps have been present, from the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from genai_platform.engine.presence import presence

START = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)


class Log:
    """Writes a journal's events, a minute count as their time."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, minute: float, event: str, **fields: Any) -> None:
        self.events.append({"time": at(minute).isoformat(timespec="milliseconds"), "event": event, **fields})

    def begin(self, minute: float, command: str) -> None:
        self.add(minute, "run.started", command=command, environment="default", steps=[])

    def step(self, begun: float, ended: float, step: str, action: str, outcome: str) -> None:
        self.add(begun, "step.started", step=step, action="probe")
        if action != "probe":
            self.add(begun, "step.started", step=step, action=action)
        self.add(ended, "step.finished", step=step, outcome=outcome, seconds=1.0, evidence="")

    def end(self, minute: float, ok: bool = True) -> None:
        self.add(minute, "run.finished", ok=ok, seconds=1.0)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.fixture
def log() -> Log:
    log = Log()
    log.begin(0, "genai up")
    log.step(0, 10, "infra.network", "apply", "done")
    log.step(10, 30, "infra.cluster", "apply", "done")
    log.end(30)
    return log


def test_a_step_counts_from_when_it_became_present(log: Log) -> None:
    found = presence(log.events)
    assert found.since == at(10)
    assert found.hours("infra.network", at(130)) == pytest.approx(2)
    assert found.hours("infra.cluster", at(90)) == pytest.approx(1)
    assert found.hours("infra.data", at(90)) == 0


def test_a_second_up_changes_nothing(log: Log) -> None:
    log.begin(60, "genai up")
    log.step(60, 61, "infra.network", "probe", "present")
    log.step(61, 62, "infra.cluster", "apply", "done")  # changed in place
    log.end(62)
    assert presence(log.events).began == {"infra.network": at(10), "infra.cluster": at(30)}


def test_a_step_that_was_removed_and_made_again_counts_twice(log: Log) -> None:
    log.begin(60, "genai teardown infra.cluster")
    log.step(60, 90, "infra.cluster", "destroy", "done")
    log.end(90)
    assert presence(log.events).hours("infra.cluster", at(900)) == pytest.approx(1)
    log.begin(120, "genai up")
    log.step(120, 150, "infra.cluster", "apply", "done")
    log.end(150)
    found = presence(log.events)
    assert found.since == at(10)
    assert found.hours("infra.cluster", at(210)) == pytest.approx(2)


def test_down_ends_the_account_and_what_it_retained_counts_from_the_next_up(log: Log) -> None:
    log.begin(60, "genai down --keep-data")
    log.step(60, 70, "infra.cluster", "destroy", "done")
    log.add(70, "step.finished", step="infra.network", outcome="retained", seconds=0.0, evidence="")
    log.end(70)
    assert presence(log.events).since is None
    log.begin(600, "genai up")
    log.step(600, 601, "infra.network", "probe", "present")
    log.step(601, 620, "infra.cluster", "apply", "done")
    found = presence(log.events)
    assert found.since == at(620)
    assert found.began == {"infra.network": at(620), "infra.cluster": at(620)}
    assert found.hours("infra.cluster", at(680)) == pytest.approx(1)


def test_a_down_that_failed_goes_on_counting(log: Log) -> None:
    log.begin(60, "genai down")
    log.step(60, 70, "infra.cluster", "destroy", "done")
    log.step(70, 80, "infra.network", "destroy", "failed")
    log.end(80, ok=False)
    found = presence(log.events)
    assert found.since == at(10)
    assert found.began == {"infra.network": at(10)}
    assert found.hours("infra.cluster", at(900)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("killed", [True, False])
def test_what_an_apply_made_that_did_not_end_well_counts_from_its_start(log: Log, killed: bool) -> None:
    log.begin(60, "genai up")
    if killed:
        log.add(60, "step.started", step="infra.data", action="apply")
    else:
        log.step(60, 65, "infra.data", "apply", "failed")
    log.begin(100, "genai up")
    log.step(100, 101, "infra.data", "probe", "present")
    found = presence(log.events)
    assert found.began["infra.data"] == at(60)
    assert found.unknown == set()


def test_what_was_made_elsewhere_is_not_known() -> None:
    log = Log()
    log.begin(0, "genai up")
    log.step(0, 1, "infra.network", "probe", "present")
    log.step(1, 20, "infra.cluster", "apply", "done")
    found = presence(log.events)
    assert found.unknown == {"infra.network"}
    assert found.began == {"infra.cluster": at(20)}


def test_lines_without_a_time_are_passed_over(log: Log) -> None:
    events = [{"event": "step.finished", "step": "a.b", "outcome": "done"}, {"time": "soon"}, {"time": "2026-11-29T08:00:00"}, *log.events]
    assert presence(events) == presence(log.events)
    assert presence([]).since is None
