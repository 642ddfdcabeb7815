"""A run without a terminal: one line per event."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from genai_platform.engine.events import Event, RunFinished, StepFinished, StepSaid, StepStarted, StopAsked
from genai_platform.ui.text import duration, one_line, since


class EventLines:
    """A sink that prints. Lines hold no control characters."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        text = line(event)
        if text:
            print(f"{datetime.now():%H:%M:%S} {text}", file=self._stream, flush=True)


def line(event: Event) -> str:
    """The event in one line; empty when it is not worth one."""
    match event:
        case StepStarted(step=step, action="apply"):
            return f"{step}: started"
        case StepStarted(step=step, action="destroy"):
            return f"{step}: removing"
        case StepSaid(step=step, text=text, time=time):
            return f"{step}: {one_line(text)}{since(event.since, time, event.usual_seconds)}"
        case StepFinished(step=step, outcome=outcome, seconds=seconds, evidence=evidence):
            return f"{step}: {outcome}{f' after {duration(seconds)}' if seconds else ''}{f': {one_line(evidence)}' if evidence else ''}"
        case StopAsked(running=running):
            still = f"; waiting for {', '.join(running)}" if running else ""
            return f"stopping: no new steps{still} (Ctrl-C again ends at once)"
        case RunFinished(ok=ok, seconds=seconds):
            return f"{'finished' if ok else 'finished with failures'} after {duration(seconds)}"
        case _:
            return ""
