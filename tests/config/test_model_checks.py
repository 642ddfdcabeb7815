"""What the checks of the models' deployments are called."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from genai_platform.config.model_checks import ids

ALLOWED = json.loads((Path(__file__).parents[2] / "docs/schema/common.json").read_text())["$defs"]["id"]["pattern"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["gpt-4o", "embed"], ["models.gpt-4o", "models.embed"]),
        (["chat", "chat", "x"], ["models.chat.1", "models.chat.2", "models.x"]),
        # A number is not the end of another model's name.
        (["gpt-5", "gpt-5.1", "gpt-5"], ["models.gpt-5.2", "models.gpt-5.1", "models.gpt-5.3"]),
        (["Qwen/Qwen3 32B", "日本語", "a..b"], ["models.qwen-qwen3-32b", "models.-", "models.a.-.b"]),
        (["日本語", "中文"], ["models.-.1", "models.-.2"]),
        (["keyless"], ["models.keyless.1"]),
    ],
)
def test_each_deployment_has_an_id_of_its_own_that_an_id_may_be(names: list[str], found: list[str]) -> None:
    assert ids(names) == found
    assert all(re.fullmatch(ALLOWED, id) for id in found)
