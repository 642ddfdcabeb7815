"""``genai env``: shell exports for clients of this environment; which environments there are, and how to join one."""

from __future__ import annotations

from typing import Annotated

import typer

from genai_platform.cli.command import callback, command
from genai_platform.cli.run import Run

Bucket = Annotated[
    str | None, typer.Argument(help="A bucket of Terraform's states to look into as well.", metavar="[BUCKET]", show_default=False)
]
Place = Annotated[
    str,
    typer.Argument(
        help="The bucket of Terraform's states, or one environment in it: s3://BUCKET/PREFIX.", metavar="BUCKET", show_default=False
    ),
]
text = "Print shell exports for clients of this environment. They hold keys. Subcommands: which environments there are, join one."
app = typer.Typer(name="env", help=text)


@callback(app, 'eval "$(genai env)"')
def env(run: Run) -> None:
    run.world.exports(run)


@command(app, "list", "genai env list")
def list_them(run: Run, bucket: Bucket = None) -> None:
    """List the environments of this folder and of the state buckets it uses."""
    from genai_platform.cli.env_list import show

    show(run, bucket)


@command(app, "join", "genai env join genai-state-123456789012")
def join(run: Run, place: Place) -> None:
    """Write the configuration of an environment whose state lies in S3, to work on it from here, too."""
    from genai_platform.cli.env_join import join

    join(run, place)
