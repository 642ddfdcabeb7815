"""A length of time as a person writes it: a number and one letter, ``30m``, ``8h``, ``2d``."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION = r"^[1-9][0-9]{0,3}[mhd]$"
"""What is allowed, as a pattern: at most 9999 of minutes, hours or days."""
MEANING = "a number and m, h or d, e.g. 30m, 8h or 2d"

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse(text: str) -> timedelta:
    """The length of time. Raises ``ValueError`` for any other text."""
    if not re.fullmatch(DURATION, text, re.ASCII):
        raise ValueError(MEANING)
    return int(text[:-1]) * _UNITS[text[-1]]
