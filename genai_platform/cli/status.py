"""``genai status``: what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.advice import typed
from genai_platform.cli.command import command
from genai_platform.cli.run import Run

if TYPE_CHECKING:
    from genai_platform.engine.step import Observation

ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 unless everything is present.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "status", "genai status --exit-code")
    def status(run: Run, exit_code: ExitCode = False) -> int:
        """Show what is there. Steps, endpoints, hourly cost, what to do next."""
        return 1 if not show(run) and exit_code else 0


def show(run: Run, only: Sequence[str] = ()) -> bool:
    """Whether everything is present."""
    from genai_platform.cli import lifetime
    from genai_platform.cli.endpoints import endpoints, told
    from genai_platform.config.prices import usd_per_hour
    from genai_platform.engine.scheduler import probe_all
    from genai_platform.engine.step import State
    from genai_platform.steps.catalog import standing

    target, screen = run.target, run.screen
    ids = run.graph.expand(only) if only else standing(run.graph, target.settings)
    with screen.looking(len(ids)) as seen:
        found = probe_all((run.graph[id] for id in ids), seen)
    present = frozenset(id for id in ids if found[id].state is not State.ABSENT)
    addresses = endpoints(run) if present else {}
    life = lifetime.warn(run) if present else None
    cost = usd_per_hour(target.settings, present)
    next_command = _next(run, found)
    screen.table(["step", "state", "evidence"], [[id, found[id].state.value, found[id].evidence] for id in ids], title=screen.target)
    if life is not None and (line := lifetime.told(life)):
        screen.tell(line)
    for line in told(run, addresses):
        screen.tell(line)
    screen.tell(f"costs {run.world.costs(cost)}")
    last = _last_run(run)
    if last:
        screen.say(last)
    screen.tell(f"next: {next_command}")
    screen.document(
        {
            "steps": [{"id": id, "state": found[id].state.value, "evidence": found[id].evidence} for id in ids],
            "endpoints": {"litellm": addresses.get("litellm"), "langfuse": addresses.get("langfuse"), "apim": addresses.get("apim")},
            **lifetime.document(life),
            "usd_per_hour": cost,
            "next": next_command,
        }
    )
    return all(finding.state is State.PRESENT for finding in found.values())


def _next(run: Run, found: dict[str, Observation]) -> str:
    from genai_platform.engine.step import State

    # Where a look was refused, what ends that comes first; one of our commands could only say the same again.
    remedies = [typed(one.remedy, run.flags) for one in found.values() if one.state is State.UNKNOWN]
    if told := next((remedy for remedy in remedies if remedy.startswith("kubectl ")), ""):
        return told
    lacking = [id for id, finding in found.items() if finding.state is not State.PRESENT]
    if any(found[id].state is State.UNKNOWN for id in lacking):
        word = "doctor"
    elif not lacking:
        word = "verify"
    elif all(id.startswith("patch.") for id in lacking):
        word = "patch"  # `up` does it only where the configuration says so
    else:
        word = "up"
    return f"genai {word}{run.flags}"


def _last_run(run: Run) -> str:
    """What the journal remembers of the last run; it explains, and decides nothing."""
    from genai_platform.engine.journal import last_run

    events = last_run(run.journal)
    if not events:
        return ""
    start, end = events[0], events[-1]
    if end.get("event") != "run.finished":
        return f"last run: '{start.get('command')}' of {start.get('time')} did not finish"
    failed = [str(event.get("step")) for event in events if event.get("outcome") == "failed"]
    return f"last run: '{start.get('command')}' of {start.get('time')} " + (f"failed at {', '.join(failed)}" if failed else "finished")
