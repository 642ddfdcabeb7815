"""``genai plan``: what would change, how long it takes and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.up import Only, Skip
from genai_platform.cli.worlds import Purpose

if TYPE_CHECKING:
    from genai_platform.config.settings import Settings
    from genai_platform.engine.graph import Graph
    from genai_platform.engine.step import Change, Observation
    from genai_platform.steps.clients import Clients

ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when something would change.")]
app = typer.Typer()


@command(app, "plan", "genai plan --only infra --exit-code")
def plan(run: Run, only: Only = None, skip: Skip = None, exit_code: ExitCode = False) -> int:
    """Show what would change, how long it would take and what it would cost."""
    return 1 if show(run, only or (), skip or ()) and exit_code else 0


@dataclass(frozen=True)
class Observed:
    """What was looked at, before anything is said about it."""

    graph: Graph
    settings: Settings
    found: Mapping[str, Observation]
    changes: Sequence[tuple[str, Change]]


def show(run: Run, only: Sequence[str], skip: Sequence[str]) -> bool:
    """Show the plan; whether anything would change."""
    from genai_platform.cli import preflight
    from genai_platform.cli.notices import notices
    from genai_platform.cli.price_list import usd_per_hour
    from genai_platform.engine.step import State
    from genai_platform.render import model_groups
    from genai_platform.ui.text import duration

    clients = preflight.names(run, only, skip)
    absent = run.world.absent()
    seen = _nothing_yet(run, clients, only, skip, absent) if absent else _look(run, only, skip)
    screen, found = run.screen, seen.found
    pending = [id for id in found if found[id].state is not State.PRESENT]
    path, minutes = _estimate(run, seen, pending)
    cost = usd_per_hour(seen.settings, frozenset(found))
    moving = [(id, change) for id, change in seen.changes if change.action != "none"]
    if moving:
        rows = [[id, change.action, change.object, change.detail] for id, change in moving]
        screen.table(["step", "action", "object", "detail"], rows, title=screen.target)
    for id in pending:
        if found[id].state is State.UNKNOWN:
            screen.warn(f"cannot see the state of {id}: {found[id].evidence}")
    still = len(found) - len(pending)
    screen.tell(f"{len(moving)} changes in {len(pending)} steps; {still} of {len(found)} steps are already in place")
    if pending:
        screen.tell(f"about {duration(minutes * 60)} on the real clouds, decided by: {' -> '.join(path)}")
    screen.tell(f"costs {run.world.costs(cost)}")
    said = notices(seen.settings, found)
    for notice in said:
        screen.tell(notice)
    groups = model_groups.groups(seen.settings) if any(id.startswith("litellm.") for id in found) else []
    for line in model_groups.lines(groups):
        screen.tell(line)
    screen.document(
        {
            "changes": [{"step": id} | asdict(change) for id, change in seen.changes],
            "estimate": {"minutes": round(minutes, 1), "usd_per_hour": cost, "critical_path": list(path)},
            "notices": said,
            "groups": [asdict(group) for group in groups],
        }
    )
    return bool(pending)


def _estimate(run: Run, seen: Observed, pending: Sequence[str]) -> tuple[tuple[str, ...], float]:
    """The chain of steps that decides how long ``up`` would take, and its minutes on the real clouds."""
    from genai_platform.engine.step import State
    from genai_platform.engine.usual import Usual, Work

    # What is measured on this machine alone tells nothing about the clouds.
    usual = Usual() if run.world.local else run.usual
    works: dict[str, Work] = {id: "update" if seen.found[id].state is State.DRIFTED else "create" for id in pending}
    path, seconds = usual.critical_path(seen.graph, works)
    return path, seconds / 60


def _look(run: Run, only: Sequence[str], skip: Sequence[str]) -> Observed:
    from genai_platform.cli import preflight
    from genai_platform.engine.observe import changes
    from genai_platform.steps.catalog import for_up

    target = run.enter(Purpose.BUILD)
    if not (only or skip):
        run.find_unconfigured()
    selection = for_up(run.graph, target.settings, only, skip)
    preflight.world(run, selection)
    found = run.look(selection.ids)
    listed = [(id, change) for id in selection.ids for change in changes(id, found[id])]
    return Observed(run.graph, target.settings, found, listed)


def _nothing_yet(run: Run, clients: Clients, only: Sequence[str], skip: Sequence[str], why: str) -> Observed:
    """A world that was not made yet can be planned, too: all of it would be made."""
    from genai_platform.engine.step import Change, Observation, State
    from genai_platform.steps.catalog import build, for_up, preflight

    preflight(clients.target)
    graph, settings = build(clients), clients.target.settings
    selection = for_up(graph, settings, only, skip)
    absent = Observation(State.ABSENT, why)
    run.screen.target = f"{run.world.describe()}, not there yet"
    return Observed(graph, settings, dict.fromkeys(selection.ids, absent), [(id, Change("create", id)) for id in selection.ids])
