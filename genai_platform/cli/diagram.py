"""``genai diagram``: this environment's architecture as a picture, printed or kept in a Markdown file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.paths import require_folder
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError, MissingError, StepError
from genai_platform.files import rewrite

if TYPE_CHECKING:
    from genai_platform.config.target import Target
    from genai_platform.render.diagram import Diagram

NoState = Annotated[bool, typer.Option("--no-state", help="Draw the configuration alone; nothing is looked at.")]
Write = Annotated[
    Path | None, typer.Option("--write", help="Keep the picture in this Markdown file, between two marks.", metavar="FILE", dir_okay=False)
]

BEGIN, END = b"<!-- genai diagram -->", b"<!-- /genai diagram -->"
"""The marks in a Markdown file, each a line of its own. What is between them belongs to this command, all else to people."""
app = typer.Typer()


@command(app, "diagram", "genai diagram --write docs/platform.md")
def diagram(run: Run, no_state: NoState = False, write: Write = None) -> None:
    """Draw the architecture as a Mermaid flowchart, each part with its state."""
    # What is wrong with the file or in the configuration is told before anything is looked at.
    if write is not None:
        _kept(write, "")
    configured = run.world.configured
    drawn = None if no_state else _observed(run)
    if drawn is None:
        drawn = _configured(run, configured)
    if write is not None:
        rewrite(write, _kept(write, drawn.mermaid))
        run.screen.tell(f"the picture in {write} is up to date")
    else:
        run.screen.tell(drawn.mermaid)
    nodes = [{"id": node.id, "label": node.label, "steps": list(node.steps), "state": node.state or None} for node in drawn.nodes]
    run.screen.document({"mermaid": drawn.mermaid, "nodes": nodes})


def _configured(run: Run, target: Target) -> Diagram:
    """Without any look at the world."""
    from genai_platform.render.diagram import diagram
    from genai_platform.steps.catalog import build, standing
    from genai_platform.steps.clients import Clients

    run.screen.target = run.world.describe()
    return diagram(target, standing(build(Clients(target)), target.settings))


def _observed(run: Run) -> Diagram | None:
    """With the states that ``status`` shows; None, after a warning, where there is nothing that could be looked at."""
    from genai_platform.render.diagram import diagram
    from genai_platform.steps.catalog import standing

    reason = run.world.absent()
    if not reason:
        try:
            run.enter()
        except (ConfigError, MissingError, StepError) as error:
            reason = error.message
    if reason:
        run.screen.warn(f"drawn from the configuration alone, without states: {reason}")
        return None
    ids = standing(run.graph, run.target.settings)
    return diagram(run.target, ids, {id: found.state.value for id, found in run.look(ids, glance=True).items()})


# -- the file ---------------------------------------------------------------------------------------
def _kept(file: Path, mermaid: str) -> bytes:
    """The file's content with this picture between its marks, and all else as it is.

    Raises:
        ConfigError: its folder does not exist, or the marks are not one pair in order.
        OSError: the file cannot be read.
    """
    require_folder(file)
    before = file.read_bytes() if file.exists() else b""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    picture = b"".join(line.encode() + end for line in ("```mermaid", *mermaid.splitlines(), "```"))
    lines = before.splitlines(keepends=True)
    begins, ends = ([number for number, line in enumerate(lines) if line.strip() == mark] for mark in (BEGIN, END))
    if not begins and not ends:
        gap = b"" if not before else end if before.endswith(b"\n") else 2 * end
        return before + gap + b"## Architecture" + 2 * end + BEGIN + end + picture + END + end
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        raise ConfigError(_marks(file, begins, ends), remedy=_REMEDY, id="diagram.marks")
    return b"".join(lines[: begins[0] + 1]) + picture + b"".join(lines[ends[0] :])


_REMEDY = (
    f"leave one line '{BEGIN.decode()}' and, after it, one line '{END.decode()}'; or delete all of them: both are then added at the end"
)


def _marks(file: Path, begins: list[int], ends: list[int]) -> str:
    places = [(number, BEGIN) for number in begins] + [(number, END) for number in ends]
    said = ", ".join(f"{mark.decode()} in line {number + 1}" for number, mark in sorted(places))
    return f"{file}: the marks of the picture are not one pair in order: {said}"
