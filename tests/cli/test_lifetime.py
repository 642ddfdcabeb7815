"""The end of an environment, as ``up``, ``status``, ``verify`` and ``down`` treat it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from tests.cli.conftest import Shell
from tests.worlds import World


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # After `tmp_path`: pytest names its folder after the user, too.
    monkeypatch.setenv("LOGNAME", "taro yamada")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")


def hours(shell: Shell, tag: str = "genai:ends") -> float:
    """How far in the future a tag's moment is."""
    return (datetime.fromisoformat(shell.ec2.tags[tag]) - datetime.now(UTC)) / timedelta(hours=1)


def over(shell: Shell, world: World, minutes: int = 130) -> None:
    world.there = {"infra.network"}
    shell.ec2.tags["genai:ends"] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def test_without_an_end_it_is_known_who_began_and_when(shell: Shell) -> None:
    assert shell("up").code == 0
    assert set(shell.ec2.tags) == {"genai:started", "genai:started-by"}
    document = shell("status", "--json").document
    assert (document["ends"], document["started_by"]) == (None, "taro_yamada@desk")
    assert document["started"] == shell.ec2.tags["genai:started"]
    assert "ends" not in shell("status").out


def test_who_continues_it_is_not_who_began_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("up", "--only", "infra.network")
    before = dict(shell.ec2.tags)
    monkeypatch.setenv("LOGNAME", "hanako")
    shell("up")
    assert shell.ec2.tags == before
    assert before["genai:started-by"] == "taro_yamada@desk"


def test_a_network_that_nobody_may_look_at_is_not_taken_for_a_new_one(shell: Shell) -> None:
    shell.ec2.denied = True
    answer = shell("up")
    assert answer.code == 0
    assert "warning: whether its time has ended is not known" in answer.err
    assert shell.ec2.tags == {}


def test_a_run_that_begins_no_environment_says_nothing_of_it(shell: Shell, world: World) -> None:
    world.broken["infra.network"] = StepError("no")
    assert "written down" not in shell("up").err


def test_status_tells_anyone_since_when_until_when_and_by_whom(shell: Shell) -> None:
    assert "ends 20" in shell("up", "--for", "8h").out
    (shell.folder / ".genai" / "default" / "journal.jsonl").unlink()  # as on another person's machine
    answer = shell("status")
    document = shell("status", "--json").document
    assert 7.9 < hours(shell) < 8
    assert document["ends"] == shell.ec2.tags["genai:ends"]
    assert document["started"] == shell.ec2.tags["genai:started"]
    assert document["started_by"] == "taro_yamada@desk"
    assert f" old, since {document['started']}, started by taro_yamada@desk; ends {document['ends']}, " in answer.out
    assert "left" in answer.out
    assert answer.err == ""


@pytest.mark.parametrize(("text", "wanted"), [("30m", 0.5), ("2d", 48)])
def test_minutes_and_days(shell: Shell, text: str, wanted: float) -> None:
    shell("up", "--for", text)
    assert hours(shell) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("text", ["8", "0h", "-1h", "8 h", "8H", "1.5h", "10s", "19:00", "８h", "99999d", ""])
def test_anything_else_is_refused_before_anything_is_done(shell: Shell, world: World, text: str) -> None:
    answer = shell("up", f"--for={text}", "--json")
    assert (answer.code, answer.document["error"]["id"]) == (2, "usage.for")
    assert "expected a number and m, h or d" in answer.document["error"]["message"]
    assert world.happened == []


def test_a_wrong_setting_is_refused(shell: Shell) -> None:
    answer = shell("up", "--set", "lifecycle.ends=19:00")
    assert answer.code == 2
    assert "lifecycle.ends: '19:00' is not allowed; expected a number and m, h or d" in answer.err


def test_the_setting_counts_from_the_up_that_builds_it(shell: Shell) -> None:
    (shell.folder / "genai.toml").write_text('[aws]\naccount_id = "123456789012"\n[lifecycle]\nends = "8h"\n')
    shell("up")
    before = dict(shell.ec2.tags)
    assert 7.9 < hours(shell) < 8
    shell("up", "--set", "lifecycle.ends=9h")
    assert shell.ec2.tags == before


def test_for_moves_the_end_and_leaves_who_started_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("up", "--for", "8h")
    before = dict(shell.ec2.tags)
    monkeypatch.setenv("LOGNAME", "hanako")
    shell("up")
    assert shell.ec2.tags == before
    shell("up", "--for", "2h", "--set", "lifecycle.ends=9h")
    assert 1.9 < hours(shell) < 2
    assert {**shell.ec2.tags, "genai:ends": ""} == {**before, "genai:ends": ""}


def test_who_began_what_carries_no_tag_stays_unknown(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    shell("up")
    assert shell.ec2.tags == {}
    shell("up", "--for", "8h")
    assert set(shell.ec2.tags) == {"genai:ends"}


def test_the_end_is_written_down_while_the_rest_is_still_being_built(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.lifetime._INTERVAL", 0.01)
    seen: list[str] = []

    def killed_here(progress: Progress) -> None:
        while "genai:ends" not in shell.ec2.tags:
            progress.check()
        seen.extend(shell.ec2.tags)

    world.working["infra.cluster"] = killed_here
    assert shell("up", "--for", "8h").code == 0
    assert set(seen) == {"genai:ends", "genai:started", "genai:started-by"}


def test_a_run_that_fails_leaves_the_end_of_what_it_made(shell: Shell, world: World) -> None:
    world.broken["infra.cluster"] = StepError("no")
    assert shell("up", "--for", "8h").code == 1
    assert 7.9 < hours(shell) < 8


def test_an_end_that_could_not_be_written_down_is_told(shell: Shell, world: World) -> None:
    world.broken["infra.network"] = StepError("no")
    assert "its end is not written down, since no VPC carries it" in shell("up", "--for", "8h").err


def test_an_end_is_not_promised_where_aws_refuses(shell: Shell, world: World) -> None:
    shell.ec2.denied = True
    answer = shell("up", "--for", "8h", "--json")
    assert (answer.code, answer.document["error"]["id"]) == (1, "aws.denied")
    assert world.happened == []


@pytest.mark.parametrize("command", ["status", "up", "verify"])
def test_when_its_time_has_ended_every_command_says_so(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("genai_platform.checks.catalog.build", lambda clients, inventory: [])
    over(shell, world)
    answer = shell(command, "--env", "work")
    assert "warning: its time ended 2 h 10 min ago; remove it: genai down --env work" in answer.err


def test_up_with_a_new_end_does_not_warn_of_the_old_one(shell: Shell, world: World) -> None:
    over(shell, world)
    assert "time ended" not in shell("up", "--for", "1h").err


def test_an_end_that_cannot_be_read_is_not_taken_for_none(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    shell.ec2.denied = True
    answer = shell("status")
    assert answer.code == 0
    assert "warning: whether its time has ended is not known: could not look up when the environment ends" in answer.err


def test_down_takes_the_end_along(shell: Shell, world: World) -> None:
    shell("up", "--for", "8h")
    assert shell("down", "--yes").code == 0
    shell("up")
    assert set(shell.ec2.tags) == {"genai:started", "genai:started-by"}


def test_terraform_leaves_the_tags_alone() -> None:
    text = (Path(__file__).parents[2] / "terraform" / "network" / "versions.tf").read_text()
    assert 'keys = ["genai:ends", "genai:started", "genai:started-by"]' in text
