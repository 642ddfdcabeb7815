"""Text that survives any terminal: widths of wide characters, streams that cannot show every character."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO

# Colours and cursor movements as terminals take them (ECMA-48), and titles (OSC).
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")

_LONG = 5.0
"""Seconds after which a person wonders."""


def prepare_streams() -> None:
    """Let no character stop the program: what a terminal cannot show is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def width(text: str) -> int:
    """Columns a text takes; East Asian wide characters take two, combining and joining ones none."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def clean(text: str) -> str:
    """Without control characters; line ends stay, tabs become blanks. Every other character stays as it is."""
    plain = _SEQUENCES.sub("", text).replace("\t", "    ")
    return "".join(char for char in plain if char == "\n" or unicodedata.category(char) != "Cc")


def one_line(text: str) -> str:
    """The text in one line, without control characters."""
    return " ".join(clean(text).split())


def duration(seconds: float) -> str:
    """``3.2 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clock(seconds: float) -> str:
    """``0:03``, ``12:05``, ``1:02:00``: for columns that are narrow."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def rough(seconds: float) -> str:
    """How long something takes, as one says it beforehand: ``20 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def since(began: str, until: str, usual_seconds: float | None) -> str:
    """`` (since 13:05:10, usually 12 min)``, to follow what is waited for; empty in its first five seconds.

    Args:
        began, until: ISO 8601, with their zones; the time shown is this machine's.
        usual_seconds: how long it takes; None: not known.
    """
    try:
        start = datetime.fromisoformat(began)
        spent = (datetime.fromisoformat(until) - start).total_seconds()
    except (ValueError, TypeError):
        return ""
    if spent < _LONG:
        return ""
    told = f"since {start.astimezone():%H:%M:%S}"
    if usual_seconds is not None and usual_seconds >= 1:
        told += f", longer than the usual {rough(usual_seconds)}" if spent > 1.5 * usual_seconds else f", usually {rough(usual_seconds)}"
    return f" ({told})"


def dollars(amount: float) -> str:
    """``$0.53/h``"""
    return f"${amount:.2f}/h" if amount == 0 or amount >= 0.005 else f"${amount:.4f}/h"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; the last column is not padded."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    sizes = [
        max((width(row[number]) for row in cells if number < len(row)), default=0) for number in range(max(map(len, cells), default=0))
    ]
    lines = []
    for row in cells:
        padded = [cell + " " * (size - width(cell)) for cell, size in zip(row, sizes, strict=False)]
        lines.append("  ".join(padded).rstrip())
    return lines
