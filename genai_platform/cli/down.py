"""``genai down``: remove everything, and prove that nothing is left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.options import command
from genai_platform.cli.run import Run

if TYPE_CHECKING:
    from genai_platform.graph.scheduler import Report
    from genai_platform.steps.sweep import Audit

KeepData = Annotated[bool, typer.Option("--keep-data", help="Keep buckets, snapshots, secrets and identities for the next up.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "down")
    def down(run: Run, keep_data: KeepData = False) -> int:
        """Remove the platform and prove that nothing is left."""
        if keep_data:
            run.sets = (*run.sets, 'lifecycle.down="keep-data"')
        return remove(run)


def remove(run: Run) -> int:
    """Everything, with the audit after it."""
    from genai_platform.cli import audit as audits
    from genai_platform.cli import preflight
    from genai_platform.cli.target import resolve, sandboxes, state_folder

    environment = run.options.environment
    if run.options.sandbox and not _sandbox_ready(run, environment):
        return 0
    if not run.options.sandbox:
        _mention_sandboxes(run, sandboxes(run.project))
    run.lock(state_folder(run.project, environment), f"genai down{run.flags}")
    run.__dict__["target"] = resolve(run)
    preflight.states(run.doors)
    report = _steps(run)
    audit = audits.nothing() if report.interrupted else audits.look(run)
    code = 130 if report.interrupted else 0 if report.ok and audits.clean(audit) else 1
    _summary(run, report, audit)
    if run.options.sandbox and code == 0:
        _end_sandbox(run, keep=bool(audit.retained) and run.target.settings.lifecycle.down == "keep-data")
    from genai_platform.cli.reports import steps_document

    run.screen.document(steps_document(report) | audits.document(audit) | {"ok": code == 0})
    return code


def _steps(run: Run) -> Report:
    """Show the list, ask, remove."""
    from genai_platform.config.prices import usd_per_hour
    from genai_platform.graph.scheduler import Report, probe_all
    from genai_platform.graph.step import State
    from genai_platform.steps.catalog import for_down
    from genai_platform.ui.text import dollars

    screen, target = run.screen, run.target
    ids, kept = for_down(run.graph, target.settings)
    screen.say(f"looking at {len(ids)} steps of '{target.environment}'")
    with screen.looking(len(ids)) as seen:
        found = probe_all((run.graph[id] for id in ids), seen)
    there = [id for id in ids if found[id].state is not State.ABSENT]
    going = [id for id in there if id not in kept]
    if not going:
        screen.say("nothing to remove" + (f"; kept: {', '.join(kept)}" if kept else ""))
        return Report((), 0.0)
    where = (
        f"AWS account {target.settings.aws.account_id}, {target.settings.platform.region}"
        if target.endpoints.real
        else "sandbox on this machine"
    )
    screen.table(
        ["step", "state", "what is there"],
        [[id, found[id].state.value, found[id].evidence] for id in reversed(going)],
        title=f"will be removed ({where}):",
    )
    if kept:
        screen.say(f"kept: {', '.join(id for id in kept if id in there)}")
    cost = usd_per_hour(target.settings, frozenset(going))
    screen.say(f"{len(going)} steps, about {dollars(cost)}{'' if target.endpoints.real else ' on the real clouds'}")
    if target.settings.azure.enabled and not kept:
        screen.warn("callers will need new identities after this; --keep-data keeps them")
    if not run.options.yes:
        screen.confirm(f"Remove these {len(going)} steps of '{target.environment}'?")
    return run.execute("genai down", ids, lambda scheduler: scheduler.destroy(ids, kept))


def _summary(run: Run, report: Report, audit: Audit) -> None:
    from genai_platform.cli.audit import clean, show
    from genai_platform.cli.reports import failures
    from genai_platform.ui.text import duration

    failures(run.screen, report)
    show(run.screen, audit)
    gone = sum(1 for result in report.results if result.outcome == "done")
    keeping = run.target.settings.lifecycle.down == "keep-data" and audit.retained
    if report.ok and clean(audit) and keeping:
        run.screen.tell(f"nothing left but what is retained above, {gone} steps removed in {duration(report.seconds)}")
        run.screen.tell(f"to start from it: genai up{run.flags}")
        run.screen.tell(f"to remove that too: genai down{run.flags}")
    elif report.ok and clean(audit):
        run.screen.tell(f"nothing left, {gone} steps removed{f' in {duration(report.seconds)}' if gone else ''}")
    elif not report.ok:
        run.screen.tell(f"go on with: genai down{run.flags}")


def _mention_sandboxes(run: Run, names: list[str]) -> None:
    """Say that a sandbox is not touched; when there is nothing else, that is all there is to say."""
    from genai_platform.config.layers import load
    from genai_platform.errors import ConfigError

    if not names:
        return
    commands = []
    for name in names:
        rest = name.removeprefix("sandbox").lstrip("-")
        commands.append(f"genai down --sandbox{f' --env {rest}' if rest else ''}")
    if load(run.project, run.options.environment, sets=run.sets).settings.aws.account_id is None:
        raise ConfigError(
            f"no account is configured for '{run.options.environment}'; what exists here is a sandbox: {', '.join(names)}",
            remedy=f"to remove it: {' ; '.join(commands)}",
            id="down.only_sandbox",
        )
    run.screen.say(f"not touched: {', '.join(names)} (to remove: {' ; '.join(commands)})")


def _sandbox_ready(run: Run, environment: str) -> bool:
    """Whether the sandbox runs; what is left of one that does not is removed here."""
    from genai_platform.cli.target import world_folder

    world = world_folder(run.project, environment)
    if not (world / "place.json").exists():
        run.screen.tell(f"nothing to remove: there is no sandbox '{environment}'")
        run.screen.document({"ok": True, "steps": [], "seconds": 0.0, "leftovers": [], "retained": []})
        return False
    from genai_platform.cli.target import open_place
    from genai_platform.sandbox import supervisor

    place = open_place(run.project, environment)
    if supervisor.running(place):
        return True
    if not run.options.yes:
        run.screen.confirm(f"The sandbox '{environment}' does not run. Delete all of it?")
    supervisor.remove(place)
    clear(world.parent)
    run.screen.tell(f"nothing left: the sandbox '{environment}' was not running, and its folder is gone")
    run.screen.document({"ok": True, "steps": [], "seconds": 0.0, "leftovers": [], "retained": []})
    return False


def _end_sandbox(run: Run, *, keep: bool) -> None:
    from genai_platform.cli.target import open_place
    from genai_platform.sandbox import supervisor

    place = open_place(run.project, run.target.environment)
    if keep:
        # Its account is where the kept things lie, as on the real clouds.
        run.screen.say(f"the sandbox still runs and holds what was kept; to pause it: genai sandbox stop{run.flags}")
        return
    supervisor.remove(place)
    clear(run.target.folder)
    run.screen.say("the sandbox is stopped and its world removed")


def clear(folder: Path) -> None:
    """Everything of an environment but its journal and the lock that is being held."""
    for entry in folder.iterdir():
        if entry.name.startswith("lock") or entry.name == "journal.jsonl":
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
