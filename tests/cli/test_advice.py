"""A person who types a command from advice works on the environment that the advice is about."""

from __future__ import annotations

import pytest

from genai_platform.advice import Advice, Remedy, advice, genai, joined, run_genai, typed
from genai_platform.errors import StepError
from tests.cli.conftest import Shell
from tests.worlds import World


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        (run_genai("patch"), "run: genai patch --sandbox"),
        (run_genai("azure --only vault"), "run: genai azure --only vault --sandbox"),
        (
            advice("`{}`, then `{}`", genai("logs langfuse-worker"), genai("up")),
            "`genai logs langfuse-worker --sandbox`, then `genai up --sandbox`",
        ),
        (advice("{}, and again", genai("keys issue team-a")), "genai keys issue team-a --sandbox, and again"),
        ("run: genai up --sandbox --env b", "run: genai up --sandbox --env b"),
        (joined("stop it", advice("or: {}", genai("sandbox remove"))), "stop it; or: genai sandbox remove --sandbox"),
        (advice("in {}: {}", "{a}", run_genai("up")), "in {a}: run: genai up --sandbox"),
        (genai_down := advice("{}", genai("down --keep-data", set="a=1")), "genai down --keep-data --sandbox --set a=1"),
        (joined("", genai_down), "genai down --keep-data --sandbox --set a=1"),
        ("edit genai.toml, or run: genai init", "edit genai.toml, or run: genai init"),
        (joined("", ""), ""),
        ("", ""),
    ],
)
def test_commands_in_advice_name_the_world_they_work_on(remedy: Remedy, expected: str) -> None:
    assert typed(remedy, " --sandbox") == expected
    without = expected if isinstance(remedy, str) else expected.replace(" --sandbox", "")
    assert typed(remedy) == str(remedy) == without


def test_which_commands_advice_names_is_known() -> None:
    both = joined(run_genai("up"), "or not", advice("see {}", genai("status")))
    assert isinstance(both, Advice)
    assert [command.typed() for command in both.commands] == ["genai up", "genai status"]
    assert advice("nothing: {}", "genai up").commands == ()


@pytest.mark.parametrize("given", [("--env", "work"), ("--set", "network.zones=3", "--env", "work")])
def test_a_failed_step_is_told_with_the_options_of_the_run(shell: Shell, world: World, given: tuple[str, ...]) -> None:
    world.broken["infra.cluster"] = StepError("not there", remedy=advice("see: {}; why: {}", genai("status"), genai("audit")))
    flags = " --env work" + (" --set network.zones=3" if "--set" in given else "")
    told = next(step for step in shell("up", "--json", "--yes", *given).document["steps"] if step["id"] == "infra.cluster")
    assert told["remedy"] == f"see: genai status{flags}; why: genai audit{flags}"


def test_an_error_is_told_with_the_options_of_the_run(shell: Shell) -> None:
    answer = shell("config", "show", "--env", "work", "--set", "network.zonez=3", "--json")
    shown = "genai config show --env work --set network.zonez=3"
    assert f"`{shown}` lists every value" in answer.document["error"]["remedy"]
    assert shown in answer.err
