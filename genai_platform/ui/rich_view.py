"""What is drawn on a terminal: the live table of steps, and static tables."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from genai_platform.engine.events import Event, RunFinished, StepFinished, StepSaid, StepStarted, StopAsked
from genai_platform.engine.forecast import Forecast
from genai_platform.ui.text import clean, clock, duration, one_line, rough, width

_STYLES = {
    "done": "green", "present": "green", "pass": "green", "absent": "green", "retained": "cyan",
    "failed": "bold red", "fail": "bold red", "skipped": "yellow", "skip": "yellow", "unknown": "yellow", "drifted": "yellow",
    "checking": "cyan", "running": "bold cyan", "removing": "bold cyan", "waiting": "dim",
}  # fmt: skip
_FRAME = 6
"""Lines of a table that are not rows: head, rules, the bar below, and one to spare."""
_LINES = 4
"""So many lines a step at work may take."""
_OTHERS = 34
"""Columns of state, time and what is between the columns, at most."""
_BAR = 30
"""Columns of the bar for the whole."""
_RUNNING = {"probe": "checking", "apply": "running", "destroy": "removing"}


def console(stream: TextIO) -> Console:
    """A console that leaves markup, numbers and emoji codes in texts alone."""
    return Console(file=stream, markup=False, emoji=False, highlight=False, no_color=True if os.environ.get("NO_COLOR") else None)


def draw_table(stream: TextIO, headers: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """A table on a terminal; state words get their colour."""
    table = Table(box=box.SIMPLE, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell), style=_STYLES.get(cell, "")) for cell in row))
    console(stream).print(table)


class LiveSteps:
    """A sink that redraws a table of steps, and leaves it on the screen at the end, however that comes about.

    Args:
        what: what the rows are.
        forecast: how far the run is, where that is known; it hears the same events.
    """

    def __init__(self, stream: TextIO, ids: Sequence[str], what: str = "steps", forecast: Forecast | None = None) -> None:
        self._what, self._forecast = what, forecast
        self._state = dict.fromkeys(ids, "waiting")
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._text: dict[str, str] = {}
        self._started = time.monotonic()
        self._note = ""
        self._over = False
        self._console = console(stream)
        self._live = Live(
            console=self._console, get_renderable=self._drawn, refresh_per_second=2, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over = True
        self._live.stop()

    def __call__(self, event: Event) -> None:
        if self._forecast is not None:
            self._forecast(event)
        match event:
            case StepStarted(step=step, action=action):
                self._state[step] = _RUNNING[action]
                self._began.setdefault(step, time.monotonic())
            case StepSaid(step=step, text=text):
                self._text[step] = text
            case StepFinished(step=step, outcome=outcome, seconds=seconds, evidence=evidence):
                self._state[step], self._took[step], self._text[step] = outcome, seconds, evidence
            case StopAsked():
                self._note = "stopping: no new steps (Ctrl-C again ends at once)"
            case RunFinished():
                self._note = ""
            case _:
                pass

    def _drawn(self) -> Group:
        return Group(self._table(), self._whole())

    def _whole(self) -> Table:
        """The bar, how far it is, and the time left."""
        over, spent = sum(1 for id in self._state if id in self._took), time.monotonic() - self._started
        share = over / len(self._state) if self._state else 1.0
        told = f"{over} of {len(self._state)} {self._what}, {duration(spent)}"
        if self._forecast is not None:
            share, left = self._forecast.share(), self._forecast.left()
            if not self._over and share < 1:
                told += f", about {rough(left)} left" if left >= 1 else ", longer than usual"
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=share, width=min(_BAR, self._console.width // 3))
        line.add_row(bar, Text(f"{share:.0%}"), Text(told + (f"; {self._note}" if self._note else "")))
        return line

    def _table(self) -> Table:
        now = time.monotonic()
        table = Table(box=box.SIMPLE, pad_edge=False, expand=True)
        # Only the last column, which has a ratio in a table as wide as the terminal, gives way where there is little room.
        table.add_column(self._what.removesuffix("s"), no_wrap=True, min_width=max(map(width, self._state), default=4))
        table.add_column("state", no_wrap=True, min_width=8)
        table.add_column("time" if self._forecast is None else "time/usual", no_wrap=True, justify="right", min_width=8)
        table.add_column("what", ratio=1)
        for id in self._shown():
            state = self._state[id]
            took = self._took.get(id, now - self._began[id] if id in self._began else None)
            table.add_row(Text(id), Text(state, style=_STYLES.get(state, "")), self._time(id, took), self._what_of(id))
        return table

    def _what_of(self, id: str) -> Text:
        """What a step says, in one line; of one at work that says more, a few, since that is what somebody looks for."""
        text = one_line(self._text.get(id, ""))
        if self._lines(id) == 1:
            return Text(text, no_wrap=True, overflow="ellipsis")
        return Text(text[: self._room * _LINES], overflow="fold")

    def _lines(self, id: str) -> int:
        """How many lines a step takes."""
        if self._over or self._state[id] not in _RUNNING.values():
            return 1
        return max(1, min(_LINES, -(-width(one_line(self._text.get(id, ""))) // self._room)))

    @property
    def _room(self) -> int:
        """Columns that are left for what a step says."""
        return max(self._console.width - max(map(width, self._state), default=4) - _OTHERS, 20)

    def _time(self, id: str, took: float | None) -> str:
        """``1:05/12:00`` of a step at work: so far, and how long it usually takes."""
        if self._forecast is None:
            return "" if took is None else duration(took)
        usual = self._forecast.usual(id) if id not in self._took else 0.0
        return ("" if took is None else clock(took)) + (f"/{clock(usual)}" if usual >= 1 else "")

    def _shown(self) -> list[str]:
        """What there is room for: all at the end; until then what runs or failed comes before what waits, and that before what is done."""
        ids, room = list(self._state), max(self._console.height - _FRAME, 1)
        if self._over or sum(map(self._lines, ids)) <= room:
            return ids
        urgent = [id for id in ids if self._state[id] in (*_RUNNING.values(), "failed", "fail")]
        waiting = [id for id in ids if self._state[id] == "waiting"]
        chosen: set[str] = set()
        for id in dict.fromkeys([*urgent, *waiting, *reversed(ids)]):
            room -= self._lines(id)
            if room < 0:
                break
            chosen.add(id)
        return [id for id in ids if id in chosen]
