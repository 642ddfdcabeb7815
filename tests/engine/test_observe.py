"""What a look at a step becomes: a state, and lines of a plan."""

from __future__ import annotations

import pytest

from genai_platform.engine.graph import Graph
from genai_platform.engine.observe import changes, observe, unknown_if_never_built
from genai_platform.engine.scheduler import Scheduler
from genai_platform.engine.step import Change, Observation, State
from genai_platform.errors import Forbidden, GenaiError, NeverBuilt, StepError, Unreachable
from tests.worlds import World

EDITED = Change("update", "ConfigMap c", "data.a")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (NeverBuilt("the cluster does not exist", remedy="run: genai up"), Observation(State.ABSENT, "the cluster does not exist")),
        (Forbidden("not allowed", remedy="sign in"), Observation(State.UNKNOWN, "not allowed", "sign in")),
        (Unreachable("no answer"), Observation(State.UNKNOWN, "no answer")),
        (GenaiError("broken"), Observation(State.UNKNOWN, "broken")),
    ],
)
def test_what_a_look_raises_becomes_a_state(raised: GenaiError, expected: Observation) -> None:
    assert observe(World(unseen={"a.one": raised}).step("a.one")) == expected


def test_a_fault_of_the_program_is_not_a_state() -> None:
    with pytest.raises(KeyError):
        observe(World(unseen={"a.one": KeyError("x")}).step("a.one"))


def test_what_is_compared_with_something_never_built_is_unknown() -> None:
    class Compared:
        id = "a.one"

        def observe(self) -> Observation:
            with unknown_if_never_built():
                raise NeverBuilt("there are no secrets yet", remedy="run: genai infra")

    expected = Observation(State.UNKNOWN, "there are no secrets yet", "run: genai infra")
    assert observe(Compared()) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raised", "up", "down"),
    [
        (NeverBuilt("no cluster"), ("done", "made a.one"), ("absent", "no cluster")),
        (StepError("not allowed"), ("failed", "cannot see the state of 'a.one': not allowed"), ("done", "removed a.one")),
    ],
)
def test_a_run_goes_by_the_same_states(raised: GenaiError, up: tuple[str, str], down: tuple[str, str]) -> None:
    world = World(unseen={"a.one": raised})
    scheduler = Scheduler(Graph([world.step("a.one")]))
    made, removed = scheduler.apply(scheduler.graph.select()).results[0], scheduler.destroy(["a.one"]).results[0]
    assert ((made.outcome, made.evidence), (removed.outcome, removed.evidence)) == (up, down)


def test_a_plan_is_what_was_observed() -> None:
    assert changes("a.one", Observation(State.DRIFTED, "c differs", changes=(EDITED,))) == (EDITED,)
    assert changes("a.one", Observation(State.DRIFTED, "0/1 pods ready")) == (Change("update", "a.one", "0/1 pods ready"),)
    assert changes("a.one", Observation(State.ABSENT, "not there")) == (Change("create", "a.one", "not there"),)
    assert changes("a.one", Observation(State.ABSENT, "not there").with_change("bucket b")) == (Change("create", "bucket b", "not there"),)


def test_what_takes_a_look_of_its_own_is_listed_only_for_a_plan() -> None:
    looks = []

    def listed() -> list[Change]:
        looks.append(1)
        return [EDITED]

    found = Observation(State.ABSENT, "not there", list_changes=listed)
    assert looks == []
    assert changes("a.one", found) == (EDITED,)
    assert looks == [1]


def test_a_step_that_cannot_say_what_it_would_do_says_at_least_that() -> None:
    def listed() -> list[Change]:
        raise StepError("the network is not there")

    (change,) = changes("a.one", Observation(State.ABSENT, "not there", list_changes=listed))
    assert change == Change("create", "a.one", "details once what it needs is there (the network is not there)")


def test_what_a_look_has_listed_remains_when_no_more_can_be_said() -> None:
    def listed() -> list[Change]:
        raise StepError("EKS did not answer")

    assert changes("a.one", Observation(State.DRIFTED, "c differs", changes=(EDITED,), list_changes=listed)) == (EDITED,)


def test_what_is_there_or_cannot_be_seen_changes_nothing() -> None:
    for state, detail in ((State.PRESENT, "as configured"), (State.UNKNOWN, "cannot be seen: as configured")):
        found = Observation(state, "as configured").with_change("bucket b")
        assert changes("a.one", found) == (Change("none", "a.one", detail),)
