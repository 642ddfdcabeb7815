"""``genai status``: what is there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from genai_platform.advice import typed
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    from genai_platform.engine.step import Observation
    from genai_platform.tools.aws.lifetime import Lifetime

ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 unless everything is present.")]
Drift = Annotated[bool, typer.Option("--drift", help="Compare every setting with the configuration, as a plan does; slower.")]
Watch = Annotated[bool, typer.Option("--watch", help="Look again every few seconds, until Ctrl-C.")]
_PAUSE = 5.0


@dataclass(frozen=True)
class _Seen:
    """One look at the environment."""

    steps: Mapping[str, Observation]
    addresses: Mapping[str, str]
    lifetime: Lifetime | None


app = typer.Typer()


@command(app, "status", "genai status --exit-code")
def status(run: Run, exit_code: ExitCode = False, drift: Drift = False, watch: Watch = False) -> int:
    """Show what is there. Steps, endpoints, hourly cost, what to do next."""
    if watch:
        follow(run, drift)
    return 1 if not show(run, drift=drift) and exit_code else 0


def follow(run: Run, drift: bool) -> NoReturn:
    """Show it again and again, until the person has seen enough."""
    if run.screen.json:
        raise ConfigError("--watch shows tables, and --json gives one document", remedy="leave one of them out", id="usage")
    run.endless = True
    while True:
        found = _look(run, (), drift)
        run.screen.clear()
        _show(run, found, drift)
        time.sleep(_PAUSE)


def show(run: Run, only: Sequence[str] = (), *, drift: bool = False) -> bool:
    """Whether everything is present.

    Args:
        only: steps and families; empty: all that this environment should have.
        drift: compare settings, too. Without it a step that takes long to compare is asked for what exists.
    """
    found = _look(run, only, drift)
    _show(run, found, drift)
    return all(one.state.value == "present" for one in found.steps.values())


def _look(run: Run, only: Sequence[str], drift: bool) -> _Seen:
    from genai_platform.cli import lifetime
    from genai_platform.cli.endpoints import endpoints
    from genai_platform.engine.scheduler import GLANCE_LIMIT
    from genai_platform.engine.step import State
    from genai_platform.steps.catalog import standing
    from genai_platform.tools.parallel import begin

    target = run.target
    if drift and not only:
        run.find_unconfigured()
    ids = run.graph.expand(only) if only else standing(run.graph, target.settings)
    began = time.monotonic()
    ends, addresses = lifetime.begin(run), begin(lambda: endpoints(run), "addresses")
    found = run.look(ids, glance=not drift)
    if all(one.state is State.ABSENT for one in found.values()):
        return _Seen({id: found[id] for id in ids}, {}, None)
    return _Seen({id: found[id] for id in ids}, addresses.result(), lifetime.warn(run, ends, began + GLANCE_LIMIT - time.monotonic()))


def _show(run: Run, seen: _Seen, drift: bool) -> None:
    from genai_platform.cli import lifetime
    from genai_platform.cli.endpoints import told
    from genai_platform.cli.price_list import usd_per_hour
    from genai_platform.cli.spent import document, spent
    from genai_platform.engine.step import State

    target, screen, found, addresses, life = run.target, run.screen, seen.steps, seen.addresses, seen.lifetime
    present = frozenset(id for id, one in found.items() if one.state is not State.ABSENT)
    cost = usd_per_hour(target.settings, present)
    next_command = _next(run, found)
    screen.table(["step", "state", "evidence"], [[id, one.state.value, one.evidence] for id, one in found.items()], title=screen.target)
    if life is not None and (line := lifetime.told(life)):
        screen.tell(line)
    for line in told(run, addresses):
        screen.tell(line)
    screen.tell(f"costs {run.world.costs(cost)}")
    account = spent(run, present, tuple(found))
    if account:
        screen.tell(f"spent {run.world.spent(account.told)}")
    last = _last_run(run)
    if last:
        screen.say(last)
    screen.tell(f"next: {next_command}")
    screen.document(
        {
            "steps": [{"id": id, "state": one.state.value, "evidence": one.evidence} for id, one in found.items()],
            "endpoints": {"litellm": addresses.get("litellm"), "langfuse": addresses.get("langfuse"), "apim": addresses.get("apim")},
            **lifetime.document(life),
            "usd_per_hour": cost,
            "spent": document(account),
            "next": next_command,
            "compared": drift,
        }
    )


def _next(run: Run, found: Mapping[str, Observation]) -> str:
    from genai_platform.engine.step import State

    # Where a look was refused, what ends that comes first; one of our commands could only say the same again.
    remedies = [typed(one.remedy, run.flags) for one in found.values() if one.state is State.UNKNOWN]
    if told := next((remedy for remedy in remedies if remedy.startswith("kubectl ")), ""):
        return told
    lacking = [id for id, finding in found.items() if finding.state is not State.PRESENT]

    def lacking_needs(id: str) -> bool:
        return any(need in found and found[need].state in (State.ABSENT, State.DRIFTED) for need in run.graph[id].needs)

    # What cannot be seen because of what it rests on is seen when that is there.
    if any(found[id].state is State.UNKNOWN and not lacking_needs(id) for id in lacking):
        word = "doctor"
    elif not lacking:
        word = "verify"
    elif all(id.startswith("patch.") for id in lacking):
        word = "patch"  # `up` does it only where the configuration says so
    else:
        word = "up"
    return f"genai {word}{run.flags}"


def _last_run(run: Run) -> str:
    """What the journal tells of the run under way, or of the last one; it explains, and decides nothing."""
    from genai_platform.engine.journal import last_run
    from genai_platform.engine.lock import holder
    from genai_platform.ui.at_work import at_work

    events = last_run(run.journal)
    if not events:
        return ""
    start, end = events[0], events[-1]
    what = f"'{start.get('command')}' of {start.get('time')}"
    if end.get("event") == "run.finished":
        failed = [str(event.get("step")) for event in events if event.get("outcome") == "failed"]
        return f"last run: {what} " + (f"failed at {', '.join(failed)}" if failed else "finished")
    found = holder(run.target.folder / "lock")
    doing = at_work(events, found) if found else ""
    if found is None or not doing:
        return f"last run: {what} did not finish"
    return f"at work: {what}, process {found.pid} of {found.user}: {doing}"
