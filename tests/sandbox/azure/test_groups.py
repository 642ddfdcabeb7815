"""A group of deployments in two regions, as the rendered configuration has LiteLLM's own router ask it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.config.settings import Settings
from genai_platform.render import litellm
from genai_platform.sandbox.azure.openai_part import PART, offer
from genai_platform.sandbox.layout import SandboxLayout

EAST, WEST, SPARE = "east.openai.azure.com", "west.openai.azure.com", "spare.openai.azure.com"


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[SandboxLayout]:
    layout = SandboxLayout.create(tmp_path / "world", "sandbox")
    PART.prepare(layout)
    offer(layout, {"d": "gpt-4o-mini"})
    process = subprocess.Popen(PART.argv(layout), env={"PATH": os.environ["PATH"], **PART.variables(layout)})
    try:
        until = time.monotonic() + 60
        while not PART.ready(layout):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield layout
    finally:
        process.terminate()
        process.wait(60)


def test_no_caller_sees_that_a_region_is_throttled_or_down(layout: SandboxLayout, tmp_path: Path) -> None:
    entry = {"azure_deployment": "d", "base_model": "gpt-4o-mini"}
    models = [
        {"name": name, "api_base": f"{layout.url('openai')}/{host}", **entry}
        for name, host in (("gpt", EAST), ("gpt", WEST), ("spare", SPARE))
    ]
    settings = Settings.model_validate({"litellm": {"models": models, "fallbacks": {"fallbacks": {"gpt": ["spare"]}}}})
    file = tmp_path / "config.yaml"
    file.write_text(litellm.proxy_config(settings))
    program = Path(__file__).with_name("groups_by_litellm.py")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command = [sys.executable, str(program), str(layout.root), str(file)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {name: sorted(set(seen)) for name, seen in json.loads(done.stdout.splitlines()[-1]).items()}
    assert found == {
        "well": [EAST, WEST],
        "by id": [EAST, WEST],
        "throttled": [WEST],
        "throttled and down": [SPARE],
        "down": [WEST],
        "down, by id": ["ServiceUnavailableError"],  # neither the group nor a fallback hides it
    }
