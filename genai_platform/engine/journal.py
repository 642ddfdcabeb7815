"""The journal of an environment: what happened, for people. It decides nothing.

One JSON document a line, flushed line by line, so that a killed run leaves everything up to its last moment.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from genai_platform.engine.events import Event, document


class Journal(contextlib.AbstractContextManager["Journal"]):
    """An append-only file of events, made when missing, readable by its owner only; usable as a sink."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        self._file.write(json.dumps(document(event), ensure_ascii=False) + "\n")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more events. What a full disk did not take is given up."""
        with contextlib.suppress(OSError):
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Every event of a journal, oldest first. A last line cut short by a kill is left out."""
    events: list[dict[str, Any]] = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return events
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events


def last_run(path: Path) -> list[dict[str, Any]]:
    """The events of the latest run."""
    events = read(path)
    starts = [number for number, event in enumerate(events) if event.get("event") == "run.started"]
    return events[starts[-1] :] if starts else []
