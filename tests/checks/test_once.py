"""Values made once, whoever asks first."""

from __future__ import annotations

import threading

import pytest

from genai_platform.checks.once import PATIENCE, Once
from genai_platform.errors import StepError


class Maker:
    """Fails until it is told to work."""

    def __init__(self) -> None:
        self.calls, self.works = 0, False

    def __call__(self) -> str:
        self.calls += 1
        if not self.works:
            raise StepError(f"failure {self.calls}")
        return "made"


def test_a_value_is_made_once_and_kept():
    once, maker = Once(), Maker()
    maker.works = True
    assert [once("a", maker), once("a", maker)] == ["made", "made"]
    assert maker.calls == 1


def test_a_failure_is_shared_for_a_moment_and_then_tried_again():
    now = [0.0]
    once, maker = Once(clock=lambda: now[0]), Maker()
    for _ in range(3):
        with pytest.raises(StepError, match="failure 1"):
            once("a", maker)
    now[0], maker.works = PATIENCE, True
    assert once("a", maker) == "made"
    assert maker.calls == 2


def test_one_value_does_not_wait_for_another():
    once, asked, release = Once(), threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        assert release.wait(10)
        return "slow"

    thread = threading.Thread(target=lambda: once("slow", slow))
    thread.start()
    assert asked.wait(10)
    assert once("quick", lambda: "quick") == "quick"
    release.set()
    thread.join(10)
    assert once("slow", lambda: "again") == "slow"


def test_a_value_may_need_another():
    once = Once()
    assert once("outer", lambda: once("inner", lambda: 1) + 1) == 2
