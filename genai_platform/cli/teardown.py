"""``genai teardown STEP…``: remove steps and what depends on them."""

from __future__ import annotations

from typing import Annotated

import typer

from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose

Steps = Annotated[list[str], typer.Argument(help="Steps or families.", metavar="STEP", show_default=False, autocompletion=completion.steps)]
app = typer.Typer()


@command(app, "teardown", "genai teardown langfuse.chart")
def teardown(run: Run, steps: Steps) -> int:
    """Remove steps and everything that depends on them."""
    from genai_platform.cli import foreign_objects, preflight
    from genai_platform.cli.paths import state_folder
    from genai_platform.cli.reports import failures, steps_document
    from genai_platform.engine.step import State
    from genai_platform.steps.catalog import inside

    shown = f"genai teardown {' '.join(steps)}{run.flags}"
    preflight.names(run, steps, ())
    run.lock(state_folder(run.project, run.options.environment), shown)
    run.enter(Purpose.TEARDOWN)
    preflight.states(run.clients)
    ids = run.graph.closure(run.graph.expand(steps), users=True)
    found = run.look(ids, glance=True)
    going = [id for id in ids if found[id].state is not State.ABSENT]
    if not going:
        run.screen.tell("nothing to remove")
        run.screen.document({"ok": True, "interrupted": False, "seconds": 0.0, "steps": []})
        return 0
    run.screen.table(
        ["step", "state", "what is there"],
        [[id, found[id].state.value, found[id].evidence] for id in reversed(going)],
        title=f"will be removed from {run.screen.target}",
    )
    foreign_objects.show(run, going)
    if not run.options.yes:
        run.screen.confirm(f"Remove these {len(going)} steps of {run.screen.target}?")
    foreign_objects.unblock(run, going)
    report = run.execute("genai teardown", ids, lambda scheduler: scheduler.destroy(ids, (), inside(run.graph)), destroying=True)
    failures(run.screen, report)
    gone = sum(1 for result in report.results if result.outcome == "done")
    run.screen.tell(f"{gone} steps removed" if report.ok else f"go on with: {shown}")
    run.screen.document(steps_document(report))
    return 130 if report.interrupted else 0 if report.ok else 1
