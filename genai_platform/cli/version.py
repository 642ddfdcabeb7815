"""``genai version`` and ``genai --version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run

app = typer.Typer()


@command(app, "version", "genai version --json")
def version(run: Run) -> None:
    """Show the version."""
    run.screen.tell(words())
    run.screen.document({"version": number(), "python": platform.python_version()})


def show(asked: bool) -> None:
    """What ``--version`` does."""
    if asked:
        print(words())
        raise typer.Exit


def words() -> str:
    """For people."""
    return f"genai {number()} (Python {platform.python_version()})"


def number() -> str:
    """The installed version."""
    try:
        return installed("genai-platform")
    except PackageNotFoundError:
        return "0"
