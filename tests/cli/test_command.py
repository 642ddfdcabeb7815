"""The options every command has: before and after a subcommand, and what the parser refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from genai_platform.cli.options import Options
from genai_platform.engine.step import Progress
from genai_platform.errors import ConfigError
from tests.cli.conftest import Shell
from tests.worlds import World


def test_options_before_a_subcommand_count_for_it(shell: Shell, world: World) -> None:
    """``genai infra --sandbox remove`` must never work on a real account."""
    document = shell("infra", "--env", "work", "--json", "show").document
    assert document["environment"] == "work"
    both = shell("config", "show", "--set", "network.zones=3", "--json").document["settings"]
    assert both["network"]["zones"] == 3
    shown = shell("infra", "--set", "litellm.replicas=2", "--json", "plan", "--set", "network.zones=3", "--env", "later").document
    assert shown["environment"] == "later"


def test_what_is_given_last_wins_over_a_variable(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_ENV", "variable")
    assert shell("infra", "show", "--json").document["environment"] == "variable"
    assert shell("infra", "--env", "work", "show", "--json").document["environment"] == "work"


def test_an_option_of_the_group_before_its_subcommand_is_refused(shell: Shell, world: World) -> None:
    answer = shell("infra", "--json", "--only", "network", "remove", "--yes")
    assert answer.code == 2
    assert "--only before 'remove' would not be heard" in answer.document["error"]["message"]
    assert world.happened == []


@pytest.mark.parametrize("name", ["dev\n", "ü", "a b", "1a", ""])
def test_a_name_that_cannot_be_one(name: str) -> None:
    if not name:
        assert Options(env=name).environment == "default"
        return
    with pytest.raises(ConfigError):
        _ = Options(env=name).environment


def test_an_input_that_ends_is_an_interruption_not_a_fault(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def abort(clients: object) -> None:
        raise typer.Abort

    monkeypatch.setattr("genai_platform.steps.catalog.build", abort)
    answer = shell("status", "--json")
    assert answer.code == 130
    assert answer.document["error"]["id"] == "interrupted"


def test_a_file_the_machine_refuses_is_named(shell: Shell) -> None:
    answer = shell("up", "--events", "/proc/nowhere/events", "--json")
    assert answer.code == 1
    assert answer.document["error"]["id"] == "system"
    assert "/proc/nowhere" in answer.err
    assert "Traceback" not in answer.err


def test_an_interrupted_run_is_exit_code_130_with_its_document(shell: Shell, world: World) -> None:
    def interrupt(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # as polite as Ctrl-C
        while True:
            progress.check()

    world.working["infra.network"] = interrupt
    answer = shell("up", "--json")
    assert answer.code == 130
    assert answer.document["interrupted"] is True
    assert {step["outcome"] for step in answer.document["steps"]} == {"failed", "skipped"}
    assert "go on with: genai up" in answer.err


def _genai(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "genai_platform", *arguments], cwd=folder, env=environment, capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("words", [("upp", "--json"), ("up", "--env=work", "--bogus", "--json"), ("--json",), ("infra", "x", "--json")])
def test_the_parser_answers_with_a_document_too(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = _genai(tmp_path, *words)
    assert found.returncode == 2
    error = json.loads(found.stdout)["error"]
    assert error["id"] == "usage"
    assert "--help" in error["remedy"]
    assert b"Traceback" not in found.stderr


def test_no_arguments_show_the_help(tmp_path: Path) -> None:
    found = _genai(tmp_path)
    assert b"Usage: genai" in found.stdout
    assert b"  up " in found.stdout
    assert found.returncode == 2


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "genai_platform", "config", "show"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.wait(60)
    assert told == b""
