from __future__ import annotations

import pytest

from genai_platform.engine.graph import Graph
from genai_platform.errors import ConfigError, GenaiError
from tests.worlds import World


@pytest.fixture
def graph() -> Graph:
    world = World()
    return Graph(
        [
            world.step("b.two", "a.one", minutes=5),
            world.step("a.one", minutes=1),
            world.step("b.three", "a.one", minutes=2),
            world.step("c.four", "b.two", "b.three", minutes=1),
            world.step("d.alone", minutes=4),
        ]
    )


def test_every_step_comes_after_what_it_needs(graph: Graph) -> None:
    seen: set[str] = set()
    for step in graph:
        assert set(step.needs) <= seen
        seen.add(step.id)
    assert len(graph) == 5


def test_a_dangling_need_is_named() -> None:
    with pytest.raises(GenaiError, match=r"'a\.one' needs 'a\.zero', which does not exist"):
        Graph([World().step("a.one", "a.zero")])


def test_all_dangling_needs_are_named_at_once() -> None:
    world = World()
    with pytest.raises(GenaiError) as caught:
        Graph([world.step("a.one", "x.x"), world.step("a.two", "y.y")])
    assert "x.x" in caught.value.message
    assert "y.y" in caught.value.message


def test_a_circle_is_refused_and_shown() -> None:
    world = World()
    with pytest.raises(GenaiError, match="in a circle") as caught:
        Graph([world.step("a.one", "a.three"), world.step("a.two", "a.one"), world.step("a.three", "a.two")])
    assert caught.value.id == "graph.cycle"
    assert all(name in caught.value.message for name in ("a.one", "a.two", "a.three"))


def test_a_step_that_needs_itself_is_a_circle() -> None:
    with pytest.raises(GenaiError, match="in a circle"):
        Graph([World().step("a.one", "a.one")])


def test_two_steps_of_one_name_are_refused() -> None:
    world = World()
    with pytest.raises(GenaiError, match=r"two steps are called 'a\.one'"):
        Graph([world.step("a.one"), world.step("a.one")])


def test_closures_go_both_ways(graph: Graph) -> None:
    assert set(graph.closure(["b.two"])) == {"a.one", "b.two"}
    assert set(graph.closure(["b.two"], users=True)) == {"b.two", "c.four"}


def test_selection_by_step_and_family(graph: Graph) -> None:
    assert set(graph.select(only=["b"]).ids) == {"b.two", "b.three"}
    assert graph.select(only=["b.two", "d"]).ids == graph.ordered(["b.two", "d.alone"])
    chosen = graph.select(skip=["b"])
    assert set(chosen.ids) == {"a.one", "c.four", "d.alone"}
    assert chosen.skipped == {"b.two", "b.three"}
    assert graph.select(only=["b"], skip=["b.two"]).ids == ("b.three",)


def test_an_unknown_name_is_refused_with_the_nearest(graph: Graph) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'b\.three'"):
        graph.select(only=["b.thre"])
    with pytest.raises(ConfigError, match=r"no step or family 'b\.t'"):
        graph.expand(["b.t"])  # a beginning is not a family


def test_the_critical_path_is_the_longest_chain(graph: Graph) -> None:
    assert graph.critical_path() == (("a.one", "b.two", "c.four"), 7)
    assert graph.critical_path(["b.three", "c.four"]) == (("b.three", "c.four"), 3)
    assert graph.critical_path([]) == ((), 0.0)
