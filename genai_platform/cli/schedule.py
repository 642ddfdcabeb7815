"""``genai schedule``: what runs ``up`` in the morning and ``down`` at night. Shown, or written into a file; nothing is installed."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import zoneinfo
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from genai_platform.advice import run_genai
from genai_platform.cli.command import command
from genai_platform.cli.paths import require_folder
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError
from genai_platform.files import rewrite
from genai_platform.render import schedule as times
from genai_platform.render.schedule import MARK, Schedule

T = TypeVar("T")

_SETTINGS = "write that value into genai.toml"

UpAt = Annotated[str, typer.Option("--up", help="When to build it, e.g. 08:30.", metavar="HH:MM")]
DownAt = Annotated[str, typer.Option("--down", help="When to remove it; before --up: on the next day.", metavar="HH:MM")]
Days = Annotated[str, typer.Option("--days", help="The days to build it on, e.g. mon-fri or mon,wed.", metavar="DAYS")]
Zone = Annotated[str | None, typer.Option("--time-zone", help="Where these times are meant, e.g. Asia/Tokyo.", metavar="ZONE")]
Write = Annotated[Path | None, typer.Option("--write", help="Write it into this file instead.", metavar="FILE", dir_okay=False)]
app = typer.Typer(name="schedule", help="Show what runs `up` in the morning and `down` at night.", no_args_is_help=True)


@command(app, "github", "genai schedule github --up 08:30 --down 19:00 --days mon-fri --time-zone Asia/Tokyo")
def github(run: Run, up: UpAt, down: DownAt, days: Days = "mon-fri", time_zone: Zone = None, write: Write = None) -> None:
    """A workflow for GitHub Actions. Without --time-zone the times are UTC."""
    from genai_platform.render.github_workflow import local_state, workflow

    schedule = _schedule(up, down, days, time_zone)
    target = run.world.configured
    if run.world.local:
        raise ConfigError(
            "this environment would go with the machine of the job that built it", remedy=run_genai("schedule cron"), id="schedule.local"
        )
    if target.settings.aws.account_id is None:
        raise ConfigError("aws.account_id is not set: a workflow works in the account that it names", id="target.account")
    flags = run.options.flags
    if "${{" in flags:
        raise ConfigError("--set: GitHub would take what follows '${{' for an expression", remedy=_SETTINGS, id="usage.schedule")
    made = workflow(target, schedule, datetime.now(UTC).date(), flags)
    if write is not None and local_state(target):
        raise ConfigError(
            f"not written: {made.warnings[0]}", remedy="to see the workflow all the same, leave out --write", id="schedule.state"
        )
    for warning in made.warnings:
        run.screen.warn(warning)
    _show(run, write, made.text, made.cron, schedule, needs=[asdict(need) for need in made.needs], warnings=list(made.warnings))


@command(app, "cron", "genai schedule cron --up 08:30 --down 19:00")
def cron(run: Run, up: UpAt, down: DownAt, days: Days = "mon-fri", time_zone: Zone = None, write: Write = None) -> None:
    """Lines for a crontab. Without --time-zone the times are those of the machine."""
    schedule = _schedule(up, down, days, time_zone)
    _ = run.settings  # what is wrong in the configuration is told now and not tomorrow morning
    project, flags = str(run.project.resolve()), run.options.flags
    if "\n" in project + flags:
        raise ConfigError("a line of a crontab has no line breaks in it, and --set has one", remedy=_SETTINGS, id="usage.schedule")
    text = times.crontab(schedule, project, _program(), flags)
    _show(run, write, text, schedule.cron(), schedule, needs=[], warnings=[])


def _show(run: Run, file: Path | None, text: str, cron: tuple[str, str], schedule: Schedule, **more: Any) -> None:
    """Print it, or write it."""
    if file is None:
        run.screen.tell(text.rstrip("\n"))
    else:
        _write(file, text)
        run.screen.tell(f"written: {file}; nothing runs by it before it is in place")
    zone = schedule.zone.key if schedule.zone else None
    content = {"text": text, "file": str(file) if file else None, "up": cron[0], "down": cron[1], "time_zone": zone}
    run.screen.document(content | more)


def _write(file: Path, text: str) -> None:
    """The file, whole or not at all. Raises ``ConfigError`` when it is somebody else's."""
    require_folder(file)
    if file.exists() and file.read_bytes().splitlines()[:1] != [MARK.encode()]:
        raise ConfigError(
            f"--write {file}: this command did not write that file: its first line is not '{MARK}'",
            remedy="give another file, or remove that one",
            id="schedule.foreign",
        )
    rewrite(file, text.encode())


def _program() -> str:
    """This command, with its folder where it is known."""
    folders = (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
    return shutil.which("genai", path=os.pathsep.join(folders)) or "genai"


# -- what was given -----------------------------------------------------------------------------------
def _schedule(up: str, down: str, days: str, zone: str | None) -> Schedule:
    """Raises ``ConfigError`` for what is not a time, a day or a zone."""
    found = Schedule(
        _given("--up", up, times.moment),
        _given("--down", down, times.moment),
        _given("--days", days, times.days),
        _given("--time-zone", zone, _zone) if zone is not None else None,
    )
    if not found.minutes:
        raise ConfigError(f"--up and --down are both {up}", remedy="give two different times", id="usage.schedule")
    return found


def _given(option: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r} is not allowed; expected {error}", id="usage.schedule") from None


def _zone(text: str) -> zoneinfo.ZoneInfo:
    known = zoneinfo.available_timezones()
    if text in known:
        return zoneinfo.ZoneInfo(text)
    if not known:
        raise ValueError("a time zone, but this machine knows none: install its package tzdata")
    near = difflib.get_close_matches(text, known, 1)
    raise ValueError(f"a name of the IANA time zone database, e.g. {near[0] if near else 'Asia/Tokyo'}")
