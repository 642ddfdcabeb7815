"""Which world a command works on, and what is looked at before anything is changed there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from genai_platform.cli import target as targets
from genai_platform.cli.options import Options
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError, MissingError
from genai_platform.tools.aws import Aws
from genai_platform.ui.screen import Screen


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened, in order; AWS says that we are account 222222222222."""
    happened: list[str] = []

    def identity(self: Aws) -> dict[str, str]:
        happened.append("aws")
        return {"Account": "222222222222", "Arn": "arn"}

    for name in [name for name in os.environ if name.startswith(("GENAI_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Aws, "identity", identity)
    monkeypatch.setattr("genai_platform.cli.provision.provide", lambda screen, **more: happened.append("programs"))
    return happened


def run(*sets: str, sandbox: bool = False) -> Run:
    return Run(Options(set=sets, sandbox=sandbox), Screen(plain=True))


def test_another_account_is_refused_before_anything_else_happens(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match="222222222222"):
        targets.resolve(run('aws.account_id="111111111111"'), building=True)
    assert asked == ["aws"]


def test_no_pinned_account_is_refused(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"aws\.account_id is not set"):
        targets.resolve(run())
    assert asked == []


def test_a_chart_path_that_does_not_exist_is_seen_first(asked: list[str], tmp_path: Path) -> None:
    sets = ('aws.account_id="222222222222"', 'langfuse.chart.path="/nowhere/chart"')
    with pytest.raises(ConfigError, match="/nowhere/chart does not exist") as caught:
        targets.resolve(run(*sets), building=True)
    assert caught.value.exit_code == 2
    assert asked == []
    # What only looks, or removes, is not held up by it.
    assert targets.resolve(run(*sets)).settings.langfuse.chart.path is not None


def test_in_a_sandbox_too_and_nothing_is_started(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "drop_ambient", lambda: None)
    with pytest.raises(ConfigError, match="/nowhere/chart"):
        targets.resolve(run('langfuse.chart.path="/nowhere/chart"', sandbox=True), start=True, building=True)
    assert asked == []
    assert not targets.world_folder(tmp_path, "sandbox").exists()


def test_programs_are_got_for_the_right_account_only(asked: list[str]) -> None:
    targets.resolve(run('aws.account_id="222222222222"'), building=True)
    assert asked == ["aws", "programs"]


def test_a_sandbox_without_its_packages_names_the_extra(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "moto" else object())
    with pytest.raises(MissingError, match="moto") as caught:
        targets.resolve(run(sandbox=True))
    assert "genai-platform[sandbox]" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_account_and_programs_are_the_only_doors(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that sees a real world gets it from ``resolve``: the doors are made from ``Run.target`` alone."""
    made: list[Any] = []
    monkeypatch.setattr(targets, "resolve", lambda found, **more: made.append(more) or "a target")
    assert run().target == "a target"  # type: ignore[comparison-overlap]
    assert made == [{}]
