"""``genai up``: build everything, or go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose

if TYPE_CHECKING:
    from genai_platform.engine.graph import Graph, Selection
    from genai_platform.engine.scheduler import Report
    from genai_platform.engine.usual import Usual

Only = Annotated[
    list[str] | None, typer.Option("--only", help="Only this step or family. Repeatable.", metavar="STEP", autocompletion=completion.steps)
]
Skip = Annotated[
    list[str] | None, typer.Option("--skip", help="Not this step or family. Repeatable.", metavar="STEP", autocompletion=completion.steps)
]
Lasting = Annotated[
    str | None, typer.Option("--for", help="How long it is meant to exist, from now: 30m, 8h, 2d. Shown and warned of.", metavar="DURATION")
]
Events = Annotated[Path | None, typer.Option("--events", help="Write one JSON event per line to this file.", dir_okay=False)]
app = typer.Typer()


@command(app, "up", "genai up --for 8h --set litellm.replicas=2")
def up(run: Run, only: Only = None, skip: Skip = None, lasting: Lasting = None, events: Events = None) -> int:
    """Build the platform, or go on where it stopped."""
    return build(run, "up", only or (), skip or (), lasting, events)


def build(run: Run, name: str, only: Sequence[str], skip: Sequence[str], lasting: str | None = None, events: Path | None = None) -> int:
    """Make the chosen steps present; shared by ``up`` and the families.

    Args:
        lasting: how long the environment is meant to exist from now, e.g. ``8h``; None: as it is, or as configured.
    """
    from genai_platform.cli import disk_space, env_join, lifetime, outside_needs, preflight
    from genai_platform.cli.endpoints import endpoints, told
    from genai_platform.cli.paths import state_folder, state_path
    from genai_platform.cli.reports import steps_document
    from genai_platform.steps.catalog import for_up

    shown = f"genai {name}{run.flags}"
    # What is wrong in the configuration is told before anything is written, the lock included.
    preflight.names(run, only, skip)
    length = lifetime.asked(lasting)
    if name == "up":
        disk_space.refuse(state_path(run.project, run.options.environment), run.world.room)
    folder = state_folder(run.project, run.options.environment)
    # Before the world is entered: that may start it, and nothing may be started twice either.
    run.lock(folder, shown)
    disk_space.reserve(folder)
    run.enter(Purpose.UP if name == "up" else Purpose.BUILD)
    if not (only or skip):
        run.find_unconfigured()
    selection = for_up(run.graph, run.target.settings, only, skip)
    preflight.world(run, selection)
    _announce(run, selection)
    outside_needs.warn(run, selection)
    with lifetime.kept(run, length):
        report = run.execute(f"genai {name}", selection.ids, lambda scheduler: scheduler.apply(selection), events=events)
    env_join.share(run)
    addresses = endpoints(run) if report.ok else {}
    _summary(run, report, told(run, addresses), _again(name, run, only, skip))
    run.screen.document(steps_document(report) | {"endpoints": addresses})
    return 130 if report.interrupted else 0 if report.ok else 1


def _again(name: str, run: Run, only: Sequence[str], skip: Sequence[str]) -> str:
    chosen = "".join(f" --only {item}" for item in only if item != name)
    chosen += "".join(f" --skip {item}" for item in skip)
    return f"genai {name}{chosen}{run.flags}"


def _announce(run: Run, selection: Selection) -> None:
    """What will be done, what not, what it costs, and where the log is."""
    from genai_platform.cli.notices import notices
    from genai_platform.cli.price_list import usd_per_hour

    target, screen = run.target, run.screen
    screen.say(f"building {target.prefix} in {screen.target}")
    for line in _nested(run.graph, selection.ids, run.usual):
        screen.say(f"  {line}")
    left = [id for id in run.graph.ids if id not in selection.ids]
    if left:
        screen.say(f"not touched: {', '.join(left)}")
    for notice in notices(target.settings, selection.ids):
        screen.say(notice)
    cost = usd_per_hour(target.settings, frozenset(selection.ids))
    screen.say(f"costs {run.world.costs(cost)}")
    screen.say(f"log: {run.journal}")


def _nested(graph: Graph, ids: Sequence[str], usual: Usual) -> Iterator[str]:
    """The plan as a nested list: families, their steps, how long each usually takes, and what it waits for."""
    from genai_platform.ui.text import columns, rough

    for family in dict.fromkeys(id.partition(".")[0] for id in ids):
        yield family
        rows = []
        for id in ids:
            if id.partition(".")[0] == family:
                needs = [need for need in graph.needs(id) if need in ids]
                takes = rough(usual.seconds(id, graph[id].minutes, "create"))
                rows.append([id.partition(".")[2], f"about {takes}", f"after {', '.join(needs)}" if needs else "at once"])
        yield from (f"  {line}" for line in columns(rows))


def _summary(run: Run, report: Report, addresses: Sequence[str], again: str) -> None:
    from genai_platform.cli.reports import failures
    from genai_platform.ui.text import duration

    screen = run.screen
    there = sum(1 for result in report.results if result.outcome == "present")
    made = sum(1 for result in report.results if result.outcome == "done")
    if report.ok:
        screen.tell(f"ready after {duration(report.seconds)}: {made} made, {there} of {len(report.results)} already in place")
        for line in addresses:
            screen.tell(f"  {line}")
        screen.tell(f"next: genai verify{run.flags}")
        return
    failures(screen, report)
    screen.tell(f"{made + there} of {len(report.results)} steps are in place after {duration(report.seconds)}")
    screen.tell(f"go on with: {again}")
    screen.tell(f"log: {run.journal}")
