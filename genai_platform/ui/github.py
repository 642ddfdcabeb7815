"""Checks for GitHub Actions: an annotation for each failed one, and a job summary in Markdown.

Workflow commands and how their values are escaped: GitHub's documentation, "Workflow commands for GitHub Actions", and
``packages/core/src/command.ts`` in github.com/actions/toolkit. A step shows ten annotations at most; the summary has everything.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genai_platform.advice import typed
from genai_platform.ui.text import duration, one_line

if TYPE_CHECKING:
    from genai_platform.checks.check import Result


def annotation_lines(results: Sequence[Result]) -> Iterator[str]:
    """One line each: what failed, or that nothing passed. A skipped check is as configured; the summary has its reason."""
    failed = [result for result in results if result.status == "fail"]
    for result in failed:
        yield _error(result.id, result.evidence + (f"\n{typed(result.hint)}" if result.hint else ""))
    if not failed and all(result.status == "skip" for result in results):
        yield _error("genai verify", f"no check passed, {len(results)} skipped")


def summary(target: str, results: Sequence[Result], seconds: float) -> str:
    """The Markdown of a job summary: the count and a table, failed checks first.

    Args:
        target: which world was checked, in words.
        seconds: how long it took.
    """
    count = {status: sum(1 for result in results if result.status == status) for status in ("pass", "fail", "skip")}
    rows = [
        f"| {_data(result.id)} | {_word(result.status)} | {_data(duration(result.seconds))} | {_data(result.evidence)}{_hint(result)} |"
        for result in sorted(results, key=lambda one: ("fail", "pass", "skip").index(one.status))
    ]
    lines = [
        f"### genai verify: {count['pass']} passed, {count['fail']} failed, {count['skip']} skipped in {duration(seconds)}",
        "",
        _data(target),
        "",
        "| check | result | time | evidence |",
        "|---|---|---|---|",
        *rows,
    ]
    return "".join(f"{line}\n" for line in (*lines, ""))


@contextmanager
def paused(tell: Callable[[str], None]) -> Iterator[None]:
    """Meanwhile GitHub takes no line of the log for a command, whatever a service answered."""
    token = secrets.token_hex(16)  # ends the pause: nobody can guess it
    tell(f"::stop-commands::{token}")
    try:
        yield
    finally:
        tell(f"::{token}::")


def _error(title: str, message: str) -> str:
    return f"::error title={_property(title)}::{_message(message)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _hint(result: Result) -> str:
    return f"<br>{_data(typed(result.hint))}" if result.status == "fail" and result.hint else ""


def _word(status: str) -> str:
    return f"**{status}**" if status == "fail" else status


def _data(text: str) -> str:
    """Text that Markdown shows as it is: CommonMark lets every ASCII punctuation character be escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", one_line(text))
