"""Every duration of the stand-ins is a real one with its source, times one factor."""

from __future__ import annotations

from pathlib import Path

import pytest

from genai_platform.errors import ConfigError
from genai_platform.sandbox import pace
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import Duration, Pace


def test_every_duration_is_real_and_has_a_source() -> None:
    stated = {name: value for name, value in vars(pace).items() if isinstance(value, Duration)}
    for name, duration in stated.items():
        assert duration.seconds > 0, name
        assert len(duration.source) > 10, name


def test_a_sandbox_keeps_its_pace_and_takes_another(tmp_path: Path) -> None:
    assert SandboxLayout.create(tmp_path / "w", "sandbox").pace.factor == pace.DEFAULT
    assert SandboxLayout.create(tmp_path / "w", "sandbox", pace=0.5).pace == Pace(0.5)
    assert SandboxLayout.open(tmp_path / "w").pace.of(Duration(60, "a test's own")) == 30
    assert SandboxLayout.create(tmp_path / "w", "sandbox").pace == Pace(0.5)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "fast", "nan"])
def test_a_pace_that_is_not_valid_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="GENAI_SANDBOX_PACE"):
        pace.chosen({"GENAI_SANDBOX_PACE": text})


def test_no_pace_chosen() -> None:
    assert pace.chosen({}) is None
    assert pace.chosen({"GENAI_SANDBOX_PACE": "0.1"}) == 0.1
