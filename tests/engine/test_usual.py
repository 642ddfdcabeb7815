"""How long steps usually take, and how long a run still takes."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from genai_platform.engine.events import Bus, Event, StepFinished, StepSaid, StepStarted, document
from genai_platform.engine.forecast import Forecast
from genai_platform.engine.graph import Graph
from genai_platform.engine.running import Running
from genai_platform.engine.scheduler import Scheduler
from genai_platform.engine.step import State
from genai_platform.engine.usual import Usual, usual
from tests.worlds import FakeStep, World


def journal(*runs: tuple[Event, ...]) -> list[dict[str, Any]]:
    """Each run's events as the journal keeps them."""
    return [one for run in runs for one in ({"event": "run.started", "command": "genai up"}, *map(document, run))]


def made(id: str, seconds: float, found: str = "absent") -> tuple[Event, ...]:
    return StepStarted(id, "probe"), StepStarted(id, "apply", found), StepFinished(id, "done", seconds, "made")


def test_without_a_journal_the_typical_minutes_count_in_the_worlds_own_measure() -> None:
    assert usual([]).seconds("a.one", 12, "create") == 720
    assert usual([], per_minute=6).seconds("a.one", 12, "destroy") == 72


def test_the_middle_of_the_last_five_times_counts() -> None:
    runs = [made("a.one", seconds) for seconds in (1, 1, 1, 100, 90, 80, 120, 70)]
    assert usual(journal(*runs)).seconds("a.one", 12, "create") == 90


def test_creating_changing_and_removing_are_told_apart() -> None:
    removed = (StepStarted("a.one", "destroy", "present"), StepFinished("a.one", "done", 300, "gone"))
    found = usual(journal(made("a.one", 600), made("a.one", 8, "drifted"), removed))
    assert [found.seconds("a.one", 12, work) for work in ("create", "update", "destroy")] == [600, 8, 300]  # type: ignore[arg-type]
    assert usual(journal(made("a.one", 600))).seconds("a.one", 12, "update") == 600


def test_what_failed_tells_nothing_and_a_look_only_of_looks() -> None:
    failed = (StepStarted("a.one", "apply", "absent"), StepFinished("a.one", "failed", 3, "no"))
    looked = (StepStarted("b.two", "probe"), StepFinished("b.two", "present", 7, "there"))
    found = usual(journal(failed, looked))
    assert (found.seconds("a.one", 1, "create"), found.seconds("b.two", 1, "create")) == (60, 60)
    assert (found.seconds("b.two", 1, "look"), found.seconds("a.one", 1, "look")) == (7, 2)
    assert found.present == {"b.two"}


# -- a run ------------------------------------------------------------------------------------------
@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def graph() -> Graph:
    world = World()
    return Graph(
        [world.step("a.one", minutes=1), world.step("b.two", "a.one", minutes=10), world.step("c.three", "a.one", minutes=2)],
    )


def test_the_time_left_is_that_of_the_longest_chain(graph: Graph) -> None:
    clock = Clock()
    run = Forecast(graph, graph.ids, Usual(), clock=clock)
    assert (run.left(), run.share()) == (660, 0.0)
    run(StepStarted("a.one", "apply", "absent"))
    clock.now = 30
    assert run.left() == 630
    run(StepFinished("a.one", "done", 30, ""))
    assert run.left() == 600
    run(StepStarted("b.two", "apply", "absent"))
    clock.now = 330
    assert run.left() == 300
    assert run.share() == pytest.approx(330 / 630)
    run(StepFinished("b.two", "done", 300, ""))
    assert run.left() == 120
    run(StepFinished("c.three", "done", 5, ""))
    assert (run.left(), run.share()) == (0, 1.0)


def test_the_bar_is_full_only_at_the_end_however_long_it_takes(graph: Graph) -> None:
    clock = Clock()
    run = Forecast(graph, graph.ids, Usual(), clock=clock)
    for id in graph.ids:
        run(StepStarted(id, "apply", "absent"))
        clock.now += 10_000
        assert run.share() < 1.0
        run(StepFinished(id, "done", 10_000, ""))
    assert run.share() == 1.0


def test_what_is_there_already_takes_a_look_until_it_turns_out_otherwise(graph: Graph) -> None:
    known = Usual(measured={("b.two", "update"): 40, ("a.one", "look"): 10}, present=frozenset(graph.ids))
    run = Forecast(graph, graph.ids, known, clock=Clock())
    assert run.left() == 10 + 2
    run(StepStarted("b.two", "apply", "drifted"))
    assert run.left() == 10 + 40


def test_a_removal_counts_from_the_other_end(graph: Graph) -> None:
    run = Forecast(
        graph, graph.ids, Usual(measured={("b.two", "destroy"): 50}, present=frozenset(graph.ids)), destroying=True, clock=Clock()
    )
    assert run.left() == 120 + 60  # c.three's typical minutes, then a.one's
    run(StepFinished("c.three", "done", 1, ""))
    assert run.left() == 50 + 60


def test_a_step_that_outlives_another_is_reckoned_after_it() -> None:
    @dataclass
    class Lasting(FakeStep):
        outlives: tuple[str, ...] = ("b.two",)

    world = World()
    graph = Graph([world.step("b.two", minutes=2), Lasting(world, "a.one", (), 1.0, 30.0)])
    for order in (graph.ids, tuple(reversed(graph.ids))):
        assert Forecast(graph, order, Usual(), destroying=True, clock=Clock()).left() == 180


# -- what is said of a step that takes long ---------------------------------------------------------
def test_a_step_that_says_nothing_new_is_spoken_of_and_then_each_minute() -> None:
    clock, said = Clock(), list[StepSaid]()
    bus = Bus([lambda event: said.append(event) if isinstance(event, StepSaid) else None])
    running = Running(World().step("a.one", minutes=12), "create", bus, threading.Event(), clock, Usual())

    def after(seconds: int) -> list[str]:
        """What is said meanwhile; it is asked twice a second."""
        said.clear()
        for _ in range(seconds * 2):
            clock.now += 0.5
            running.remind()
        return [one.text for one in said]

    assert after(4) == []
    assert after(1) == ["looking at what exists"]
    running.begin("apply", State.ABSENT)
    assert after(64) == ["at work"]
    assert after(1) == ["at work"]
    running.say("2/3 pods")
    assert after(59) == []
    assert after(1) == ["2/3 pods"]
    assert {one.usual_seconds for one in said} == {720}
    assert document(said[0])["usual_seconds"] == 720
    assert document(said[0])["since"] <= document(said[0])["time"]


def test_a_run_speaks_of_the_steps_at_work() -> None:
    world, spoken = World(), threading.Event()
    step = world.step("a.one", limit=1e9)
    world.working["a.one"] = lambda progress: None if spoken.wait(30) else pytest.fail("nobody spoke of it")
    hours = itertools.count(step=3600.0)
    bus = Bus([lambda event: spoken.set() if isinstance(event, StepSaid) else None])
    graph = Graph([step])
    assert Scheduler(graph, bus, clock=lambda: next(hours)).apply(graph.select()).ok
