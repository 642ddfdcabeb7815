"""How long one waits for the first word."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Pair, compare
from genai_platform.errors import GenaiError
from genai_platform.programs import PROGRAMS, find

_BARE = '''
import typer

app = typer.Typer()

@app.command()
def up() -> None:
    """Build."""

@app.command()
def down() -> None:
    """Remove."""

app()
'''
_OTHERS = (("helm", "version"), ("terraform", "version"), ("aws", "--version"))


def pairs(rounds: int = 7) -> Iterator[Pair | str]:
    """``genai --help`` against a program of the same library that does nothing, and against the tools it drives."""
    with tempfile.TemporaryDirectory(prefix="genai-bench-") as name:
        bare = Path(name) / "bare.py"
        bare.write_text(_BARE)
        help_ = _command([sys.executable, "-m", "genai_platform", "--help"])
        version = _command([sys.executable, "-m", "genai_platform", "version"])
        empty = _command([sys.executable, str(bare), "--help"])
        yield compare("genai --help", help_, "a bare Typer program, --help", empty, rounds=rounds)
        yield compare("genai version", version, "a bare Typer program, --help", empty, rounds=rounds)
        for program, option in _OTHERS:
            found = _find(program)
            if found is None:
                yield f"{program} is not here: not compared"
            else:
                yield compare("genai --help", help_, f"{program} {option}", _command([found, option]), rounds=rounds)


def _find(program: str) -> str | None:
    """On PATH, or among the programs this project keeps. Nothing is fetched."""
    if program in PROGRAMS:
        try:
            return str(find(program))
        except GenaiError:
            return None
    return shutil.which(program)


def _command(argv: Sequence[str]) -> Callable[[], object]:
    def run() -> None:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr[-2000:]}")

    return run
