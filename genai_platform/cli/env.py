"""``genai env``: shell exports for clients of this environment."""

from __future__ import annotations

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "env", 'eval "$(genai env)"')
    def env(run: Run) -> None:
        """Print shell exports for clients of this environment. They hold keys."""
        run.world.exports(run)
