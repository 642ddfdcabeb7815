"""Langfuse's version, its chart and what is sent to it fit each other."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.config.consistency import contradictions


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"langfuse": {"image_tag": "3.224.1", "chart": {"version": "2.0.0"}}}, "image_tag"),
        ({"langfuse": {"image_tag": "4.4.0", "chart": {"version": "1.5.41"}}}, "image_tag"),
        ({"litellm": {"callback": "langfuse"}, "langfuse": {"chart": {"version": "2.0.0"}}}, "callback"),
    ],
)
def test_what_does_not_fit_is_a_fault(values: dict[str, Any], where: str) -> None:
    assert where in [found[0][-1] for found in contradictions(values)]


@pytest.mark.parametrize(
    "values",
    [
        {"langfuse": {"image_tag": "3.224.1"}},
        {"langfuse": {"image_tag": "4.4.0", "chart": {"version": "2.0.0"}}},
        {"litellm": {"callback": "langfuse"}, "langfuse": {"write_mode": "dual", "chart": {"version": "2.0.0"}}},
    ],
)
def test_what_fits_is_none(values: dict[str, Any]) -> None:
    assert [found for found in contradictions(values) if found[0][0] in ("langfuse", "litellm")] == []
