"""What was found out about one thing that a start needs. Not being allowed to ask is an answer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genai_platform.advice import Remedy


@dataclass(frozen=True)
class Answer:
    """One look."""

    id: str
    state: Literal["pass", "fail", "warn", "unknown"]
    """``unknown``: it could not be found out, so it is neither fine nor missing; the remedy says what would let us see it."""
    text: str
    remedy: Remedy = ""
