"""``genai verify --github``: where annotations and the summary go, and what stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from genai_platform.checks.check import Outcome
from tests.cli.conftest import Shell


@dataclass
class Fake:
    id: str
    outcome: Outcome
    deadline: float = 0.0

    def look(self) -> Outcome:
        return self.outcome


@pytest.fixture
def summary(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The job's summary file, in a world where one check passes and one fails with a workflow command in what it saw."""
    checks = [
        Fake("litellm.ready", Outcome("pass", "ready")),
        Fake("langfuse.keys", Outcome("fail", "no:\n::add-mask::x", "run: genai up")),
    ]
    monkeypatch.setattr("genai_platform.checks.catalog.build", lambda clients, inventory: checks)
    file = shell.folder / "summary.md"
    file.write_text("what another step wrote\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    return file


ANNOTATION = "::error title=langfuse.keys::no:%0A::add-mask::x%0Arun: genai up"


def test_annotations_follow_the_results_and_the_summary_is_appended(shell: Shell, summary: Path) -> None:
    answer = shell("verify", "--github")
    assert answer.code == 1
    assert answer.out.splitlines()[-1] == ANNOTATION
    assert summary.read_text().startswith("what another step wrote\n### genai verify: 1 passed, 1 failed, 0 skipped")


def test_what_a_check_saw_is_not_taken_for_a_workflow_command(shell: Shell, summary: Path) -> None:
    lines = shell("verify", "--github").out.splitlines()
    ((start, token),) = [
        (number, found[1]) for number, line in enumerate(lines) if (found := re.fullmatch("::stop-commands::(.{32})", line))
    ]
    end = lines.index(f"::{token}::")
    assert start < lines.index("::add-mask::x") < end < lines.index(ANNOTATION)
    assert token not in shell("verify", "--github").out


def test_with_json_standard_output_stays_one_document(shell: Shell, summary: Path) -> None:
    answer = shell("verify", "--github", "--json")
    assert [check["status"] for check in answer.document["checks"]] == ["pass", "fail"]
    assert answer.err.splitlines()[-1] == ANNOTATION
    assert "litellm" in summary.read_text()


def test_without_the_option_nothing_is_written_for_github(shell: Shell, summary: Path) -> None:
    answer = shell("verify")
    assert "::error" not in answer.out + answer.err
    assert "stop-commands" not in answer.out + answer.err
    assert summary.read_text() == "what another step wrote\n"


def test_outside_of_github_there_are_annotations_and_no_summary(shell: Shell, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert ANNOTATION in shell("verify", "--github", "--quiet").out
    assert summary.read_text() == "what another step wrote\n"
