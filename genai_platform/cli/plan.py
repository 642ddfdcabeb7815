"""``genai plan``: what would change, how long it takes and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli.options import command
from genai_platform.cli.run import Run

if TYPE_CHECKING:
    from genai_platform.graph.step import Change, Finding, Step

Only = Annotated[list[str] | None, typer.Option("--only", help="Only this step or family. Repeatable.", metavar="STEP")]
Skip = Annotated[list[str] | None, typer.Option("--skip", help="Not this step or family. Repeatable.", metavar="STEP")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when something would change.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "plan")
    def plan(run: Run, only: Only = None, skip: Skip = None, exit_code: ExitCode = False) -> int:
        """Show what would change. How long it would take and what it costs, too."""
        return 1 if show(run, only or (), skip or ()) and exit_code else 0


def show(run: Run, only: Sequence[str], skip: Sequence[str]) -> bool:
    """Show the plan; whether anything would change."""
    from genai_platform.cli import preflight
    from genai_platform.cli.target import resolve
    from genai_platform.config.prices import usd_per_hour
    from genai_platform.graph.scheduler import probe_all
    from genai_platform.graph.step import State
    from genai_platform.steps.catalog import for_up
    from genai_platform.ui.text import dollars, duration

    preflight.names(run, only, skip)
    run.__dict__["target"] = resolve(run, building=True)
    screen, target = run.screen, run.target
    selection = for_up(run.graph, target.settings, only, skip)
    preflight.world(run, selection)
    with screen.looking(len(selection.ids)) as seen:
        found = probe_all((run.graph[id] for id in selection.ids), seen)
    pending = [id for id in selection.ids if found[id].state is not State.PRESENT]
    changes = [(id, change) for id in selection.ids for change in _changes(run.graph[id], found[id])]
    path, minutes = run.graph.critical_path(pending)
    cost = usd_per_hour(target.settings, frozenset(selection.ids))
    moving = [(id, change) for id, change in changes if change.action != "none"]
    if moving:
        screen.table(["step", "action", "object", "detail"], [[id, change.action, change.object, change.detail] for id, change in moving])
    blind = [id for id in selection.ids if found[id].state is State.UNKNOWN]
    for id in blind:
        screen.warn(f"cannot see the state of {id}: {found[id].evidence}")
    still = len(selection.ids) - len(pending)
    screen.tell(f"{len(moving)} changes in {len(pending)} steps; {still} of {len(selection.ids)} steps are already in place")
    if pending:
        screen.tell(f"about {duration(minutes * 60)} on the real clouds, decided by: {' -> '.join(path)}")
    screen.tell(
        f"about {dollars(cost)} while it stands"
        if target.endpoints.real
        else f"costs nothing here (about {dollars(cost)} on the real clouds)"
    )
    screen.document(
        {
            "changes": [_document(id, change) for id, change in changes],
            "estimate": {"minutes": round(minutes, 1), "usd_per_hour": cost, "critical_path": list(path)},
        }
    )
    return bool(pending)


def _document(id: str, change: Change) -> dict[str, Any]:
    return {"step": id, "action": change.action, "object": change.object, "detail": change.detail}


def _changes(step: Step, finding: Finding) -> list[Change]:
    """A step's plan; a step that cannot say what it would do says at least that."""
    from genai_platform.errors import GenaiError
    from genai_platform.graph.step import Change, State

    if finding.state is State.PRESENT:
        return [Change("none", step.id, finding.evidence)]
    try:
        return list(step.plan())
    except GenaiError as error:
        text = f"details once what it needs is there ({error.message})"
        return [Change("update" if finding.state is State.DRIFTED else "create", step.id, text)]
