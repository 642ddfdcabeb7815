"""When an environment is up: times and days as a person says them, as fields of cron, and as lines of a crontab."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MARK = "# Written by `genai schedule`, which replaces the whole file."
"""The first line of every file that the command writes: what does not begin with it belongs to somebody else."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60


@dataclass(frozen=True)
class Schedule:
    """One ``up`` and one ``down`` on some days of the week.

    Args:
        up, down: minutes after midnight. A ``down`` that comes before ``up`` is on the next day.
        days: those of the ``up``, 0 is Monday.
        zone: where these times are meant; None: wherever the schedule runs.
    """

    up: int
    down: int
    days: frozenset[int]
    zone: ZoneInfo | None = None

    @property
    def minutes(self) -> int:
        """From ``up`` to ``down``."""
        return (self.down - self.up) % _DAY

    def cron(self, offset: int = 0) -> tuple[str, str]:
        """The five fields of cron for ``up`` and for ``down``.

        Args:
            offset: minutes by which the schedule's zone is ahead of the one that cron counts in.
        """
        return _cron(self.up - offset, self.days), _cron(self.up + self.minutes - offset, self.days)


def moment(text: str) -> int:
    """Minutes after midnight of ``08:30``. Raises ``ValueError`` with what is expected."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise ValueError("hours and minutes from 00:00 to 23:59, e.g. 08:30")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def days(text: str) -> frozenset[int]:
    """Days of the week of ``mon-fri``, ``sat-mon`` or ``mon,wed-fri``; 0 is Monday. Raises ``ValueError`` with what is expected."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"days such as mon-fri or mon,wed,fri; known: {', '.join(DAYS)}")
        begin = DAYS.index(first)
        found |= {(begin + number) % 7 for number in range((DAYS.index(last or first) - begin) % 7 + 1)}
    return frozenset(found)


def offset(zone: ZoneInfo, on: date) -> int:
    """Minutes by which a zone is ahead of UTC at noon of a day."""
    ahead = datetime.combine(on, time(12), UTC).astimezone(zone).utcoffset() or timedelta()
    return round(ahead.total_seconds() / 60)


def next_change(zone: ZoneInfo, on: date) -> tuple[date, int] | None:
    """The next day within a year on which a zone's clocks are changed, and by how many minutes; None: they are not."""
    for number in range(1, 366):
        day = on + timedelta(days=number)
        if change := offset(zone, day) - offset(zone, day - timedelta(days=1)):
            return day, change
    return None


def shown(minutes: int) -> str:
    """``08:30``"""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def crontab(schedule: Schedule, project: str, program: str, flags: str) -> str:
    """Lines for ``crontab -e``.

    Args:
        project: the folder of genai.toml.
        program: the command ``genai``, with its folder where that is known: cron's PATH is short.
        flags: the options that choose the environment, with a leading blank.
    """
    up, down = schedule.cron()
    # A percent sign ends a command in a crontab, and what follows it is its input (crontab(5)).
    start = f"cd {shlex.quote(project)} && {shlex.quote(program)}".replace("%", r"\%")
    verify, options = f"{shlex.quote(program)} verify --plain{flags}".replace("%", r"\%"), f"--yes --plain{flags}".replace("%", r"\%")
    lines = [
        MARK,
        "# Add these lines with `crontab -e`. Output and faults are mailed to MAILTO, as cron does it.",
        "# Credentials that a person signs in for end after some hours: give this account its own (a role, a profile that renews).",
    ]
    if schedule.zone is not None:
        lines += [
            "# CRON_TZ counts for all lines after it. cronie knows it; the cron of Debian and Ubuntu takes the machine's own zone.",
            f"CRON_TZ={schedule.zone.key}",
        ]
    lines += [f"{up} {start} up --for {schedule.minutes}m {options} && {verify}", f"{down} {start} down {options}"]
    return "\n".join(lines) + "\n"


def _cron(minutes: int, wanted: frozenset[int]) -> str:
    """Fields for minutes after midnight of some days; before 0 it is the day before, after a day's end the next one."""
    shift, minute = divmod(minutes, _DAY)
    # Cron counts from Sunday.
    numbers = sorted((day + shift + 1) % 7 for day in wanted)
    return f"{minute % 60} {minute // 60} * * {_ranges(numbers)}"


def _ranges(numbers: list[int]) -> str:
    """``1-5``, ``0,2-4``; ``*`` for a whole week."""
    if len(numbers) == 7:
        return "*"
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)
