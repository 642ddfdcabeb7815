"""A folder with configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from genai_platform.config.layers import Loaded, load
from genai_platform.errors import ConfigError


class Project:
    """A folder with configuration files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "genai.toml") -> Project:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self

    def load(self, environment: str = "default", *sets: str, environ: Mapping[str, str] | None = None) -> Loaded:
        return load(self.folder, environment, sets=sets, environ=environ or {})

    def refused(self, *sets: str, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(ConfigError) as caught:
            self.load("default", *sets, environ=environ)
        assert caught.value.exit_code == 2
        return caught.value.message
