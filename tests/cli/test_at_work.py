"""Who is at work in an environment, and what a run rests on that it does not make."""

from __future__ import annotations

import re

import pytest

from genai_platform.engine.lock import hold
from genai_platform.engine.step import Progress, State
from genai_platform.errors import StepError
from tests.cli.conftest import Answer, Shell
from tests.worlds import World


def test_a_refused_command_hears_who_is_at_work_since_when_and_doing_what(shell: Shell, world: World) -> None:
    answers: list[Answer] = []

    def working(progress: Progress) -> None:
        progress.say("aws_eks_cluster.this: creating (10 s)")
        answers.extend((shell("down", "--yes", "--env", "work"), shell("status", "--env", "work")))

    world.working["infra.cluster"] = working
    assert shell("up", "--yes", "--env", "work").code == 0
    refused, status = answers
    assert refused.code == 1
    assert re.search(r"'genai up --env work' is at work here: process \d+ of \S+ on \S+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", refused.err)
    doing = "1 of 4 steps done; now infra.cluster (aws_eks_cluster.this: creating (10 s))"
    assert doing in refused.err
    assert doing in status.out


def test_a_lock_without_a_run_of_steps_says_no_more_than_it_knows(shell: Shell) -> None:
    shell("up", "--yes")
    with hold(shell.folder / ".genai" / "default" / "lock", "genai keys rotate"):
        refused = shell("up", "--yes")
    assert "'genai keys rotate' is at work here" in refused.err
    assert "steps done" not in refused.err


# -- what the chosen steps need and this run does not make -------------------------------------------
def test_a_family_says_before_it_begins_what_it_rests_on_and_is_not_as_it_should_be(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster"}
    world.states["infra.network"] = State.DRIFTED  # not a direct need
    answer = shell("litellm", "--env", "work")
    assert answer.code == 0
    told = "warning: 'infra.network', which 'litellm.proxy' needs, is drifted: infra.network is drifted"
    assert f"{told}\n  -> to change that first: genai up --only infra.network --env work\n" in answer.err
    assert "infra.cluster" not in answer.err
    assert world.happened == ["apply litellm.proxy"]


def test_settings_of_what_a_family_rests_on_are_not_compared(shell: Shell, world: World) -> None:
    """That would be a plan of every Terraform root before each ``genai litellm``."""
    world.there = {"infra.network", "infra.cluster"}
    assert shell("litellm").code == 0
    assert set(world.compared) == {"litellm.proxy"}


@pytest.mark.parametrize("words", [("litellm",), ("up", "--only", "litellm.proxy")])
def test_a_need_that_is_absent_or_cannot_be_seen_is_said_first(shell: Shell, world: World, words: tuple[str, ...]) -> None:
    world.unseen["infra.network"] = StepError("throttled", remedy="wait")
    answer = shell(*words)
    assert answer.code == 1
    assert "cannot see the state of 'infra.network', which 'litellm.proxy' needs: throttled\n  -> wait\n" in answer.err
    assert "'infra.cluster', which 'litellm.proxy' needs, is absent" in answer.err
    assert not world.happened


def test_where_all_that_it_needs_is_there_nothing_is_said(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster"}
    assert "needs" not in shell("litellm").err
    assert "needs" not in shell("up").err


def test_what_earlier_runs_took_is_what_the_next_one_expects(shell: Shell) -> None:
    assert shell("plan", "--json").document["estimate"]["minutes"] == 20
    assert re.search(r"cluster +about 12 min", shell("up").out)
    assert shell("down", "--yes").code == 0
    assert shell("plan", "--json").document["estimate"]["minutes"] < 1
    assert re.search(r"cluster +about 1 s", shell("up").out)
