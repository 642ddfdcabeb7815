"""How long an entrance stayed open after a revocation: what refuses too late counts as open."""

from __future__ import annotations

import itertools

import pytest

from genai_platform.steps.azure.callers import revocation

from .world import Quiet


@pytest.mark.parametrize(("step", "measured"), [(1.0, True), (75.0, False)])
def test_an_entrance_that_closes_after_more_than_a_minute_counts_as_open(
    step: float, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "_INTERVAL", 0.0)
    answers = iter([200, 401, 401])
    moments = itertools.count(0.0, step / 2)
    found = revocation.wait([revocation.Entrance("API Management", lambda: next(answers))], Quiet(), clock=lambda: next(moments))
    assert (found["API Management"] is not None) is measured


def test_a_slow_refusal_after_a_minute_counts_as_open() -> None:
    moments = iter([0.0, 0.0, 75.0, 75.0])
    found = revocation.wait([revocation.Entrance("API Management", lambda: 401)], Quiet(), clock=lambda: next(moments))
    assert found == {"API Management": None}
