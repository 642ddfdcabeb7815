"""The benchmarks run, compare pairs, and say plainly what they could not compare. No time is asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import rendering, sandbox, scheduling, startup
from benchmarks.measure import Pair, compare
from genai_platform.engine.events import RunFinished, RunStarted, StepFinished
from genai_platform.engine.journal import Journal

ROOT = Path(__file__).parents[2]


def test_both_sides_are_measured_in_turn() -> None:
    happened: list[str] = []
    pair = compare("a", lambda: happened.append("a"), "b", lambda: happened.append("b"), rounds=2)
    assert happened == ["a", "b"] * 3  # one to warm up
    assert (pair.what, pair.against) == ("a", "b")


def test_a_line_has_both_times_and_their_ratio() -> None:
    line = str(Pair("at once", 0.5, "one after another", 2.0))
    assert "500.0 ms" in line
    assert "2.00 s" in line
    assert line.endswith("x 0.25")


def test_startup_compares_with_a_bare_program() -> None:
    pairs = list(startup.pairs(rounds=1))
    assert any(isinstance(pair, Pair) and "bare Typer" in pair.against for pair in pairs)
    assert all(isinstance(pair, Pair) or "not compared" in pair for pair in pairs)


def test_rendering_compares_hundreds_with_as_many_alone() -> None:
    pairs = list(rendering.pairs(rounds=1, models=20))
    assert [isinstance(pair, Pair) for pair in pairs] == [True, True, True]


def test_scheduling_runs_the_real_graph() -> None:
    pairs = list(scheduling.pairs(minute=0.001))
    assert [pair.against.split(" (")[0] for pair in pairs if isinstance(pair, Pair)] == ["one after another", "its longest chain"]


@pytest.mark.parametrize("part", [sandbox.pairs, sandbox.status_pairs])
def test_without_a_sandbox_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Callable[[], Iterator[Pair | str]]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    assert list(part()) == ["no sandbox runs in this folder: not compared (start one with: genai up --sandbox)"]


def test_the_journal_tells_the_last_up_that_made_something(tmp_path: Path) -> None:
    def run(command: str, outcome: str, *seconds: float) -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            journal(RunStarted(command, "sandbox", ()))
            for number, one in enumerate(seconds):
                journal(StepFinished(f"a.{number}", outcome, one, "seen"))  # type: ignore[arg-type]
            journal(RunFinished(True, 6.0))

    assert "not compared" in str(sandbox.made(tmp_path / "journal.jsonl"))
    run("genai up --sandbox", "done", 4.0, 5.0)
    run("genai up --sandbox", "present", 1.0)
    run("genai down --sandbox", "done", 2.0)
    made = sandbox.made(tmp_path / "journal.jsonl")
    assert isinstance(made, Pair)
    assert (made.seconds, made.other) == (6.0, 9.0)


def test_the_documented_command_works_and_an_unknown_part_is_named() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "benchmarks", *arguments]
        return subprocess.run(argv, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False)

    assert run("--help").returncode == 0
    wrong = run("nothing")
    assert wrong.returncode == 2
    assert "unknown part: nothing" in wrong.stderr
