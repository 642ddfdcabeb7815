"""``genai down``: remove everything, and prove that nothing is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose

if TYPE_CHECKING:
    from genai_platform.audit.leftovers import Audit
    from genai_platform.engine.scheduler import Report

KeepData = Annotated[bool, typer.Option("--keep-data", help="Keep buckets, snapshots, secrets and identities for the next up.")]
app = typer.Typer()


@command(app, "down", "genai down --keep-data")
def down(run: Run, keep_data: KeepData = False) -> int:
    """Remove the platform and prove that nothing is left."""
    from genai_platform.audit.leftovers import Audit
    from genai_platform.cli import audit as audits
    from genai_platform.cli import disk_space, foreign_objects, preflight
    from genai_platform.cli.paths import state_folder
    from genai_platform.cli.reports import steps_document

    shown = f"genai down{' --keep-data' if keep_data else ''}{run.flags}"
    if keep_data:
        run.options = replace(run.options, set=(*run.options.set, 'lifecycle.down="keep-data"'))
    world = run.world
    # A fault in the configuration is told here, too, where nothing might be left to look at.
    keep = run.settings.lifecycle.down == "keep-data"
    world.before_down()
    if absent := world.absent():
        return _nothing(run, f"nothing to remove: {absent}")
    folder = state_folder(run.project, world.environment)
    disk_space.release(folder, run.screen)
    run.lock(folder, shown)
    if removed := world.removed_at_rest(run):
        return _nothing(run, removed)
    run.enter(Purpose.DOWN)
    run.find_unconfigured()
    # Removing takes about as long as making.
    preflight.credentials(run.clients, preflight.minutes(run.clients, run.graph, run.graph.ids, "destroy"), "genai down")
    preflight.states(run.clients)
    report, sizes, foreign = _steps(run)
    if not report.interrupted:
        foreign_objects.finish(run)
    audit = Audit((), (), ("not looked at: interrupted",)) if report.interrupted else audits.look(run)
    code = 130 if report.interrupted else 0 if report.ok and audits.clean(audit) else 1
    gone = sum(sizes.get(result.id, 0) for result in report.results if result.outcome == "done")
    _summary(run, report, audit, gone, shown)
    if code == 0:
        world.after_down(run, kept=keep and bool(audit.retained))
    run.screen.document(steps_document(report) | audits.document(audit) | {"ok": code == 0, "foreign": foreign})
    return code


def _steps(run: Run) -> tuple[Report, dict[str, int], list[dict[str, Any]]]:
    """Show the list, ask, remove. Also answers how many resources each step had, and what was other people's."""
    from genai_platform.cli import foreign_objects
    from genai_platform.cli.price_list import usd_per_hour
    from genai_platform.engine.events import StepResult
    from genai_platform.engine.scheduler import Report
    from genai_platform.engine.step import State
    from genai_platform.steps.catalog import for_down, inside, resources

    target, screen = run.target, run.screen
    ids, keeping = for_down(run.graph, target.settings)
    screen.say(f"looking at {len(ids)} steps of {screen.target}")
    found = run.look(ids, glance=True)
    there = [id for id in ids if found[id].state is not State.ABSENT]
    kept = [id for id in there if id in keeping]
    going = [id for id in there if id not in keeping]
    if not going:
        screen.say("nothing to remove" + (f"; kept: {', '.join(kept)}" if kept else ""))
        return Report(tuple(StepResult(id, "retained" if id in kept else "absent", 0.0, found[id].evidence) for id in ids), 0.0), {}, []
    sizes = {id: resources(run.clients, run.graph[id]) for id in going}
    screen.table(
        ["step", "state", "what is there"],
        [[id, found[id].state.value, found[id].evidence] for id in reversed(going)],
        title=f"will be removed from {screen.target}",
    )
    foreign = foreign_objects.show(run, going)
    if kept:
        screen.say(f"kept: {', '.join(kept)}")
    cost = run.world.costs(usd_per_hour(target.settings, frozenset(going)))
    screen.say(f"{len(going)} steps, {sum(sizes.values())} resources; they cost {cost}")
    if target.settings.azure.callers and target.settings.azure.enabled and not keeping:
        screen.warn("callers will need new identities after this; --keep-data keeps them")
    if not run.options.yes:
        screen.confirm(f"Remove these {len(going)} steps of {screen.target}?")
    foreign_objects.unblock(run, going)
    report = run.execute("genai down", ids, lambda scheduler: scheduler.destroy(ids, kept, inside(run.graph)), destroying=True)
    return report, sizes, foreign


def _summary(run: Run, report: Report, audit: Audit, gone: int, shown: str) -> None:
    from genai_platform.cli.audit import clean, show
    from genai_platform.cli.reports import failures
    from genai_platform.ui.text import duration

    failures(run.screen, report)
    show(run.screen, audit)
    keeping = run.target.settings.lifecycle.down == "keep-data" and audit.retained
    if report.ok and clean(audit) and keeping:
        run.screen.tell(f"nothing left but what is retained above, {gone} resources removed in {duration(report.seconds)}")
        run.screen.tell(f"to start from it: genai up{run.flags}")
        all_of_it = "" if " --keep-data" in shown else " --set lifecycle.down=everything"
        run.screen.tell(f"to remove that too: genai down{run.flags}{all_of_it}")
    elif report.ok and clean(audit):
        run.screen.tell(f"nothing left, {gone} resources removed{f' in {duration(report.seconds)}' if gone else ''}")
    elif not report.ok:
        run.screen.tell(f"go on with: {shown}")


def _nothing(run: Run, text: str) -> int:
    from genai_platform.cli.reports import steps_document
    from genai_platform.engine.scheduler import Report

    run.screen.tell(text)
    run.screen.document(steps_document(Report((), 0.0)) | {"leftovers": [], "retained": [], "unseen": [], "foreign": []})
    return 0
