from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from genai_platform.engine.events import Bus, Event, RunFinished, StepFinished, StepSaid, StepStarted, StopAsked
from genai_platform.engine.graph import Graph, Selection
from genai_platform.engine.scheduler import Report, Scheduler, observe_all
from genai_platform.engine.step import Observation, Progress, State
from genai_platform.errors import StepError
from tests.worlds import World


def outcomes(report: Report) -> dict[str, str]:
    return {result.id: result.outcome for result in report.results}


def evidence(report: Report, id: str) -> str:
    return next(result.evidence for result in report.results if result.id == id)


@pytest.fixture
def world() -> World:
    return World()


def apply(world: World, *steps: tuple[str, ...], only: tuple[str, ...] = (), skip: tuple[str, ...] = (), bus: Bus | None = None) -> Report:
    graph = Graph([world.step(id, *needs) for id, *needs in steps])
    return Scheduler(graph, bus or Bus()).apply(graph.select(only, skip))


def test_steps_run_in_order_and_become_present(world: World) -> None:
    report = apply(world, ("b.two", "a.one"), ("a.one",), ("c.three", "b.two"))
    assert outcomes(report) == {"a.one": "done", "b.two": "done", "c.three": "done"}
    assert world.happened == ["apply a.one", "apply b.two", "apply c.three"]
    assert report.ok


def test_what_is_present_is_left_alone(world: World) -> None:
    world.there = {"a.one"}
    report = apply(world, ("a.one",), ("b.two", "a.one"))
    assert outcomes(report) == {"a.one": "present", "b.two": "done"}
    assert world.happened == ["apply b.two"]
    assert evidence(report, "a.one") == "a.one is present"


def test_what_drifted_is_applied(world: World) -> None:
    world.states["a.one"] = State.DRIFTED
    assert outcomes(apply(world, ("a.one",))) == {"a.one": "done"}


def test_unknown_is_never_taken_for_absent(world: World) -> None:
    world.states["a.one"] = State.UNKNOWN
    report = apply(world, ("a.one",), ("b.two", "a.one"), ("c.other",))
    assert outcomes(report) == {"a.one": "failed", "b.two": "skipped", "c.other": "done"}
    assert world.happened == ["apply c.other"]
    assert "cannot see the state of 'a.one'" in evidence(report, "a.one")


def test_a_failure_stops_what_depends_on_it_and_nothing_else(world: World) -> None:
    world.broken["a.one"] = StepError("no capacity", remedy="try another zone")
    report = apply(world, ("a.one",), ("b.two", "a.one"), ("c.three", "b.two"), ("d.four",), ("e.five", "d.four"))
    assert outcomes(report) == {"a.one": "failed", "b.two": "skipped", "c.three": "skipped", "d.four": "done", "e.five": "done"}
    assert evidence(report, "a.one") == "no capacity"
    assert "'a.one' failed" in evidence(report, "c.three")  # the one that failed, not the one in between
    assert report.failed[0].remedy == "try another zone"
    assert not report.ok


def test_an_unexpected_exception_fails_its_step_only(world: World) -> None:
    world.broken["a.one"] = KeyError("whatever")
    report = apply(world, ("a.one",), ("d.four",))
    assert outcomes(report) == {"a.one": "failed", "d.four": "done"}
    assert "unexpected KeyError" in evidence(report, "a.one")


def test_independent_steps_run_at_the_same_time(world: World) -> None:
    meeting = threading.Barrier(3, timeout=20)  # nobody passes unless all three are there together
    for id in ("a.one", "b.two", "c.three"):
        world.working[id] = lambda progress: meeting.wait() and None
    assert apply(world, ("a.one",), ("b.two",), ("c.three",)).ok


def test_a_step_starts_as_soon_as_its_own_needs_are_there(world: World) -> None:
    started = threading.Event()
    world.working["fast.user"] = lambda progress: started.set()
    world.working["slow.one"] = lambda progress: None if started.wait(20) else pytest.fail("waited for a stranger")
    assert apply(world, ("slow.one",), ("fast.one",), ("fast.user", "fast.one")).ok


def test_a_need_outside_the_selection_must_be_there(world: World) -> None:
    report = apply(world, ("a.one",), ("b.two", "a.one"), only=("b",))
    assert outcomes(report) == {"b.two": "failed"}
    assert "needs 'a.one', which is absent" in evidence(report, "b.two")
    world.there = {"a.one"}
    assert outcomes(apply(world, ("a.one",), ("b.two", "a.one"), only=("b",))) == {"b.two": "done"}


def test_a_need_outside_the_selection_that_cannot_be_seen_is_an_error(world: World) -> None:
    world.states["a.one"] = State.UNKNOWN
    report = apply(world, ("a.one",), ("b.two", "a.one"), only=("b",))
    assert outcomes(report) == {"b.two": "failed"}
    assert world.happened == []


def test_settings_are_compared_of_nothing_but_what_is_applied(world: World) -> None:
    """With Terraform that takes a plan, which neither a removal nor a need outside the selection is worth."""
    world.there = {"a.one"}
    apply(world, ("a.one",), ("b.two", "a.one"), only=("b.two",))
    assert world.compared == ["b.two"]
    Scheduler(Graph([world.step("a.one"), world.step("b.two", "a.one")])).destroy(["a.one", "b.two"])
    assert world.happened == ["apply b.two", "destroy b.two", "destroy a.one"]
    assert world.compared == ["b.two"]


def test_what_needs_a_step_left_out_on_request_is_skipped_without_failing(world: World) -> None:
    report = apply(world, ("a.one",), ("b.two", "a.one"), ("c.three", "b.two"), ("d.four",), skip=("a",))
    assert outcomes(report) == {"b.two": "skipped", "c.three": "skipped", "d.four": "done"}
    assert report.ok


def test_destroy_goes_backwards(world: World) -> None:
    world.there = {"a.one", "b.two", "c.three"}
    graph = Graph([world.step("a.one"), world.step("b.two", "a.one"), world.step("c.three", "b.two")])
    report = Scheduler(graph).destroy(graph.ids)
    assert world.happened == ["destroy c.three", "destroy b.two", "destroy a.one"]
    assert report.ok


def test_destroy_twice_is_fine(world: World) -> None:
    graph = Graph([world.step("a.one"), world.step("b.two", "a.one")])
    report = Scheduler(graph).destroy(graph.ids)
    assert outcomes(report) == {"a.one": "absent", "b.two": "absent"}
    assert world.happened == []


def test_destroy_does_not_take_unknown_for_absent(world: World) -> None:
    world.states["a.one"] = State.UNKNOWN
    graph = Graph([world.step("a.one")])
    assert outcomes(Scheduler(graph).destroy(graph.ids)) == {"a.one": "done"}
    assert world.happened == ["destroy a.one"]


def test_what_is_still_used_is_not_destroyed(world: World) -> None:
    world.there = {"a.one", "b.two", "c.three"}
    world.broken["b.two"] = StepError("a load balancer is still there")
    graph = Graph([world.step("a.one"), world.step("b.two", "a.one"), world.step("c.three")])
    report = Scheduler(graph).destroy(graph.ids)
    assert outcomes(report) == {"a.one": "skipped", "b.two": "failed", "c.three": "done"}
    assert "'b.two', which uses it, is still there" in evidence(report, "a.one")


def test_retained_steps_are_kept(world: World) -> None:
    world.there = {"a.data", "b.two"}
    graph = Graph([world.step("a.data"), world.step("b.two", "a.data")])
    report = Scheduler(graph).destroy(graph.ids, retained=["a.data"])
    assert outcomes(report) == {"a.data": "retained", "b.two": "done"}
    assert world.there == {"a.data"}


def test_a_step_that_takes_too_long_is_told(world: World) -> None:
    def wait(progress: Progress) -> None:
        progress.say("2/3 pods")
        while True:
            progress.check()

    world.working["a.one"] = wait
    graph = Graph([world.step("a.one", limit=0.0)])
    report = Scheduler(graph).apply(Selection(graph.ids))
    assert outcomes(report) == {"a.one": "failed"}
    assert "not finished after 0 s; last: 2/3 pods" in evidence(report, "a.one")


def test_a_step_that_hears_nothing_is_given_up(world: World) -> None:
    release, asked = threading.Event(), threading.Event()

    def deaf(progress: Progress) -> None:
        asked.set()
        release.wait(30)

    world.working["a.one"] = deaf
    hours = iter(range(0, 10**9, 3600))
    graph = Graph([world.step("a.one", limit=1), world.step("b.two", "a.one")])
    report = Scheduler(graph, clock=lambda: float(next(hours)) if asked.is_set() else 0.0).apply(Selection(graph.ids))
    release.set()
    assert outcomes(report) == {"a.one": "failed", "b.two": "skipped"}
    assert "gave no answer" in evidence(report, "a.one")


def interrupting(times: int, then: Callable[[Progress], None]) -> Callable[[Progress], None]:
    def work(progress: Progress) -> None:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        then(progress)

    return work


def until_stopped(progress: Progress) -> None:
    while True:
        progress.check()


def test_ctrl_c_once_lets_running_steps_end_and_starts_no_more(world: World) -> None:
    world.working["a.one"] = interrupting(1, until_stopped)
    report = apply(world, ("a.one",), ("b.two", "a.one"), ("c.three", "b.two"))
    assert report.interrupted
    assert not report.ok
    assert outcomes(report) == {"a.one": "failed", "b.two": "skipped", "c.three": "skipped"}
    assert evidence(report, "a.one") == "interrupted"
    assert world.happened == ["apply a.one"]


def test_ctrl_c_lets_a_step_that_is_nearly_done_finish(world: World) -> None:
    heard = threading.Event()
    bus = Bus([lambda event: heard.set() if isinstance(event, StopAsked) else None])
    world.working["a.one"] = interrupting(1, lambda progress: heard.wait(20) and None)
    report = apply(world, ("a.one",), ("b.two", "a.one"), bus=bus)
    assert outcomes(report) == {"a.one": "done", "b.two": "skipped"}
    assert report.interrupted


def test_ctrl_c_twice_ends(world: World) -> None:
    release, heard = threading.Event(), threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, StopAsked):
            heard.set()

    def stubborn(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        heard.wait(20)
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(20)

    world.working["a.one"] = stubborn
    with pytest.raises(KeyboardInterrupt):
        apply(world, ("a.one",), bus=Bus([listen]))
    release.set()


def test_events_tell_the_story(world: World) -> None:
    events: list[Event] = []

    def talk(progress: Progress) -> None:
        for text in ("1/2", "1/2", "2/2"):
            progress.say(text)

    world.working["a.one"] = talk
    apply(world, ("a.one",), bus=Bus([events.append]))
    told = [event for event in events if isinstance(event, StepStarted | StepSaid | StepFinished)]
    assert [getattr(event, "action", getattr(event, "text", getattr(event, "outcome", None))) for event in told] == [
        "probe", "apply", "1/2", "2/2", "done",
    ]  # fmt: skip
    assert isinstance(events[-1], RunFinished)


def test_an_empty_run_is_fine(world: World) -> None:
    assert apply(world).ok


def test_probing_all_turns_errors_into_unknown(world: World) -> None:
    class Blind:
        id = "x.blind"
        needs: tuple[str, ...] = ()

        def observe(self) -> None:
            raise ConnectionError("no route")

    world.there = {"a.one"}
    found = observe_all([world.step("a.one"), Blind()])  # type: ignore[list-item]
    assert found["a.one"].state is State.PRESENT
    assert found["x.blind"].state is State.UNKNOWN
    assert "no route" in found["x.blind"].evidence


def test_a_listener_that_cannot_write_does_not_stop_the_work(world: World) -> None:
    heard: list[Event] = []

    def full(event: Event) -> None:
        raise OSError(28, "No space left on device")

    bus = Bus([full, heard.append])
    assert apply(world, ("a.one",), bus=bus).ok
    assert isinstance(heard[-1], RunFinished)
    assert [error.strerror for error in bus.lost] == ["No space left on device"]


def test_a_look_that_gives_no_answer_is_unknown(world: World) -> None:
    release = threading.Event()

    class Deaf:
        id = "x.deaf"
        needs: tuple[str, ...] = ()

        def observe(self) -> Observation:
            release.wait(30)
            return Observation(State.ABSENT, "too late")

    found = observe_all([Deaf()], limit=0)  # type: ignore[list-item]
    release.set()
    assert found == {"x.deaf": Observation(State.UNKNOWN, "no answer within 0 s")}


def test_an_unexpected_exception_names_its_place(world: World) -> None:
    def work(progress: Progress) -> None:
        secret = "hunter2"
        raise KeyError(len(secret))

    world.working["a.one"] = work
    report = apply(world, ("a.one",))
    assert "unexpected KeyError: 7 (tests.engine.test_scheduler:" in evidence(report, "a.one")
    assert "hunter2" not in evidence(report, "a.one")


def test_sigterm_is_heard_like_ctrl_c_and_the_handlers_are_put_back(world: World) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def work(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        until_stopped(progress)

    world.working["a.one"] = work
    report = apply(world, ("a.one",), ("b.two", "a.one"))
    assert report.interrupted
    assert outcomes(report) == {"a.one": "failed", "b.two": "skipped"}
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
