"""``genai doctor``: can I start? Everything a run needs is looked at, and no look stops the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from genai_platform.advice import typed
from genai_platform.cli.command import command
from genai_platform.cli.doctor.line import Line, look
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError

app = typer.Typer()


@command(app, "doctor", "genai doctor")
def doctor(run: Run) -> int:
    """Check what a start needs. Programs, configuration, credentials, ports."""
    run.screen.target = f"'{run.world.environment}'"
    report = [replace(line, remedy=typed(line.remedy, run.flags)) for line in examine(run)]
    run.screen.table(["checked", "state", "what"], [[line.id, line.state, line.text] for line in report], title=run.screen.target)
    problems, unknown = ([line for line in report if line.state == state] for state in ("fail", "unknown"))
    for line in report:
        if line.state == "warn":
            run.screen.warn(f"{line.id}: {line.text}")
    for line in (*problems, *unknown):
        run.screen.tell(f"{line.id}: {'unknown: ' if line.state == 'unknown' else ''}{line.text}")
        run.screen.tell(f"  -> {line.remedy}")
    run.screen.tell(_summary(len(problems), len(unknown)))
    run.screen.document(
        {
            "ok": not problems,
            "problems": [{"id": line.id, "problem": line.text, "remedy": line.remedy} for line in problems],
            "unknown": [{"id": line.id, "what": line.text, "remedy": line.remedy} for line in unknown],
            "policy": _policy(run),
            "checked": [{"id": line.id, "state": line.state, "evidence": line.text} for line in report],
        }
    )
    return 3 if problems else 0


def _summary(problems: int, unknown: int) -> str:
    told = f"{problems} problem{'s' if problems > 1 else ''}" if problems else "ready" if not unknown else "no problem was seen"
    return f"{told}, {unknown} {'things' if unknown > 1 else 'thing'} could not be found out" if unknown else told


def _policy(run: Run) -> dict[str, Any] | None:
    """What the environment's AWS half needs, as a policy document; None where no account is known."""
    from genai_platform.steps.infra.prerequisites.actions import needs, policy
    from genai_platform.tools.aws.client import Aws

    try:
        target = run.world.configured
    except ConfigError:
        return None
    account = target.settings.aws.account_id
    return None if run.world.local or account is None else policy(needs(target, account, Aws(target).partition))


def examine(run: Run) -> Iterator[Line]:
    """Look at everything that a run needs before it starts."""
    yield Line("python", "pass", f"Python {'.'.join(map(str, sys.version_info[:3]))}")
    if os.access(run.project, os.W_OK):
        yield Line("folder", "pass", str(run.project))
    else:
        yield Line("folder", "fail", f"{run.project} is not writable", "change to a folder of your own")
    yield from map(_program, run.world.programs)
    yield from run.world.examine(run)


def _program(name: str) -> Line:
    from genai_platform.programs import PROGRAMS, find

    found = look(f"program.{name}", lambda: _short(find(name)))
    if found.state == "fail" and (minutes := PROGRAMS[name].minutes_to_build()):
        return Line(found.id, "skip", f"not here yet; `genai up` makes it, once (at most about {minutes:g} min)")
    return found


def _short(path: Path) -> str:
    """A path as one would type it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
