"""``genai down``: remove everything, and prove that nothing is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run

if TYPE_CHECKING:
    from genai_platform.audit.leftovers import Audit
    from genai_platform.engine.scheduler import Report

KeepData = Annotated[bool, typer.Option("--keep-data", help="Keep buckets, snapshots, secrets and identities for the next up.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "down")
    def down(run: Run, keep_data: KeepData = False) -> int:
        """Remove the platform and prove that nothing is left."""
        shown = f"genai down{' --keep-data' if keep_data else ''}{run.flags}"
        if keep_data:
            run.options = replace(run.options, set=(*run.options.set, 'lifecycle.down="keep-data"'))
        return remove(run, shown)


def remove(run: Run, shown: str) -> int:
    """Everything, with the audit after it.

    Args:
        shown: the command as one would type it again.
    """
    from genai_platform.cli import audit as audits
    from genai_platform.cli import disk_space, fetch_programs, foreign_objects, preflight
    from genai_platform.cli.paths import sandbox_exists, state_folder
    from genai_platform.cli.reports import steps_document
    from genai_platform.config.layers import load

    environment = run.options.environment
    # A fault in the configuration is told here, too, where nothing might be left to look at.
    load(run.project, environment, sets=run.options.set)
    if not run.options.sandbox:
        _mention_sandboxes(run)
    elif not sandbox_exists(run.project, environment):
        return _nothing(run, f"nothing to remove: there is no sandbox '{environment}'")
    folder = state_folder(run.project, environment)
    disk_space.release(folder, run.screen)
    run.lock(folder, shown)
    if run.options.sandbox:
        from genai_platform.cli.worlds import sandbox as sandboxes

        if sandboxes.rests(run.project, environment):
            return _remove_what_rests(run)
    # A sandbox whose start was killed has parts that do not run yet: what they hold is seen by asking them.
    run.enter(start=run.options.sandbox)
    if not run.options.sandbox:
        fetch_programs.provide(run.screen, sandbox=False)
    # Removing takes about as long as making.
    preflight.credentials(run.clients, run.graph.critical_path()[1], "genai down")
    preflight.states(run.clients)
    report, sizes, foreign = _steps(run)
    if not report.interrupted:
        foreign_objects.finish(run)
    audit = audits.nothing() if report.interrupted else audits.look(run)
    code = 130 if report.interrupted else 0 if report.ok and audits.clean(audit) else 1
    gone = sum(sizes.get(result.id, 0) for result in report.results if result.outcome == "done")
    _summary(run, report, audit, gone, shown)
    if run.options.sandbox and code == 0:
        _end_sandbox(run, keep=bool(audit.retained) and run.target.settings.lifecycle.down == "keep-data")
    run.screen.document(steps_document(report) | audits.document(audit) | {"ok": code == 0, "foreign": foreign})
    return code


def _steps(run: Run) -> tuple[Report, dict[str, int], list[dict[str, Any]]]:
    """Show the list, ask, remove. Also answers how many resources each step stood for, and what was other people's."""
    from genai_platform.cli import foreign_objects
    from genai_platform.config.prices import usd_per_hour
    from genai_platform.engine.events import StepResult
    from genai_platform.engine.scheduler import Report, probe_all
    from genai_platform.engine.step import State
    from genai_platform.steps.catalog import for_down, inside, resources
    from genai_platform.ui.text import dollars

    target, screen = run.target, run.screen
    ids, keeping = for_down(run.graph, target.settings)
    screen.say(f"looking at {len(ids)} steps of {screen.target}")
    with screen.looking(len(ids)) as seen:
        found = probe_all((run.graph[id] for id in ids), seen)
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
    cost = usd_per_hour(target.settings, frozenset(going))
    where = "" if target.endpoints.real else " on the real clouds"
    screen.say(f"{len(going)} steps, {sum(sizes.values())} resources, about {dollars(cost)}{where}")
    if target.settings.azure.callers and target.settings.azure.enabled and not keeping:
        screen.warn("callers will need new identities after this; --keep-data keeps them")
    if not run.options.yes:
        screen.confirm(f"Remove these {len(going)} steps of {screen.target}?")
    foreign_objects.unblock(run, going)
    report = run.execute("genai down", ids, lambda scheduler: scheduler.destroy(ids, kept, inside(run.graph)))
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


def _mention_sandboxes(run: Run) -> None:
    """Say that a sandbox is not touched; when there is nothing else, that is all there is to say."""
    from genai_platform.cli.paths import sandboxes
    from genai_platform.config.layers import load
    from genai_platform.errors import ConfigError

    names = sandboxes(run.project)
    if not names:
        return
    commands = []
    for name in names:
        rest = name.removeprefix("sandbox").lstrip("-")
        commands.append(f"genai down --sandbox{f' --env {rest}' if rest else ''}")
    if load(run.project, run.options.environment, sets=run.options.set).settings.aws.account_id is None:
        raise ConfigError(
            f"no account is configured for '{run.options.environment}'; what exists here is a sandbox: {', '.join(names)}",
            remedy=f"to remove it: {' ; '.join(commands)}",
            id="down.only_sandbox",
        )
    run.screen.say(f"not touched: {', '.join(names)} (to remove: {' ; '.join(commands)})")


# -- the sandbox ----------------------------------------------------------------------------------
def _remove_what_rests(run: Run) -> int:
    """A sandbox that does not run costs nothing and holds nothing outside its folder: that goes."""
    from genai_platform.cli.worlds import sandbox as sandboxes
    from genai_platform.config.layers import load
    from genai_platform.errors import ConfigError

    environment = run.options.environment
    if load(run.project, environment, sets=run.options.set).settings.lifecycle.down == "keep-data":
        raise ConfigError(
            f"the sandbox '{environment}' does not run, so all that it holds is kept already",
            remedy=f"to delete all of it: genai down{run.flags} --set lifecycle.down=everything",
            id="down.nothing_kept",
        )
    if not run.options.yes:
        run.screen.confirm(f"The sandbox '{environment}' does not run. Delete all of it?")
    sandboxes.remove(run.project, environment)
    return _nothing(run, f"nothing left: the sandbox '{environment}' was not running, and its folder is gone")


def _nothing(run: Run, text: str) -> int:
    from genai_platform.cli.reports import steps_document
    from genai_platform.engine.scheduler import Report

    run.screen.tell(text)
    run.screen.document(steps_document(Report((), 0.0)) | {"leftovers": [], "retained": [], "unseen": []})
    return 0


def _end_sandbox(run: Run, *, keep: bool) -> None:
    from genai_platform.cli.worlds import sandbox as sandboxes

    if keep:
        # Its account is where the kept things lie, as on the real clouds.
        run.screen.say(f"the sandbox still runs and holds what was kept; to pause it: genai sandbox stop{run.flags}")
        return
    sandboxes.remove(run.project, run.target.environment)
    run.screen.say("the sandbox is stopped and its world removed")
