"""What is done ahead for LiteLLM's image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genai_platform.sandbox.cluster.images import Images
from genai_platform.sandbox.litellm.image import IMAGES


@pytest.mark.parametrize("compiled", [True, False])
def test_the_proxy_is_imported_ahead_once_and_only_where_it_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    cached = tmp_path / "proxy_server.pyc"
    if compiled:
        cached.touch()
    monkeypatch.setattr("importlib.util.cache_from_source", lambda source: str(cached))
    # Another test of this process may have imported it.
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    runs: list[list[str]] = []

    real = subprocess.run

    def run(argv: list[str], **options: Any) -> Any:
        if argv[0] != "nice":
            return real(argv, **options)
        env = options["env"]
        assert env["LITELLM_LOCAL_MODEL_COST_MAP"] == "True", "it looks at nothing outside"
        assert env["PYTHONDONTWRITEBYTECODE"] == ""
        return runs.append(argv)

    monkeypatch.setattr("subprocess.run", run)
    Images(IMAGES).prepare()
    assert [argv[:4] for argv in runs] == ([] if compiled else [["nice", "-n", "19", sys.executable]])
    assert "litellm" not in sys.modules
