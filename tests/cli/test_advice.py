from __future__ import annotations

import pytest

from genai_platform.cli.advice import complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run: genai patch", "run: genai patch --sandbox"),
        ("run: genai azure --only vault", "run: genai azure --only vault --sandbox"),
        ("`genai logs langfuse-worker`, then `genai up`", "`genai logs langfuse-worker --sandbox`, then `genai up --sandbox`"),
        ("genai keys issue team-a, and again", "genai keys issue team-a --sandbox, and again"),
        ("run: genai up --sandbox --env b", "run: genai up --sandbox --env b"),
        ("genai doctor; genai up --only infra.network.", "genai doctor --sandbox; genai up --only infra.network --sandbox."),
        ("stop it, or: genai sandbox remove", "stop it, or: genai sandbox remove --sandbox"),
        ("`genai config show` lists them", "`genai config show --sandbox` lists them"),
        ("edit genai.toml, or run: genai init", "edit genai.toml, or run: genai init"),
        ("the genai platform", "the genai platform"),
        ("", ""),
    ],
)
def test_commands_in_advice_name_the_world_they_work_on(text: str, expected: str) -> None:
    assert complete(text, " --sandbox") == expected
    assert complete(text, "") == text
