"""The published programs of a sandbox: which versions there are, and those that run only when somebody calls them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from genai_platform import programs
from genai_platform.errors import MissingError
from genai_platform.sandbox.part import PartStatus

_CALLED = ("terraform", "helm")
_NUMBER = re.compile(r"\d+\.\d+\.\d+")


def rows() -> Iterator[PartStatus]:
    """Terraform and Helm, as the sandbox's steps find them."""
    for name in _CALLED:
        found = say_version(name)
        yield PartStatus(name, "real", found, None, None, "installed" if found else "missing")


def say_version(name: str) -> str:
    """What a program says of its version; empty when it is missing."""
    try:
        path: Path = programs.find(name)
        answer = subprocess.run([str(path), *programs.PROGRAMS[name].ask], capture_output=True, text=True, timeout=30, check=False)
    except (MissingError, OSError, subprocess.TimeoutExpired):
        return ""
    number = _NUMBER.search(answer.stdout or answer.stderr)
    return number[0] if number else ""
