"""The end of an environment: asked for by ``up``, written where everybody finds it, shown, and warned of when it has passed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from genai_platform.config import durations
from genai_platform.errors import ConfigError, GenaiError
from genai_platform.tools import parallel
from genai_platform.tools.aws import lifetime
from genai_platform.tools.aws.lifetime import Lifetime, iso

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.tools.aws.client import Aws

_LIMIT = 10.0
"""Seconds to wait for what only warns."""
_INTERVAL = 5.0
"""Seconds between looks for the VPC while it is being made."""


def asked(text: str | None) -> timedelta | None:
    """What ``--for`` means. Raises ``ConfigError``."""
    try:
        return durations.parse(text) if text is not None else None
    except ValueError as error:
        raise ConfigError(f"--for {text!r} is not allowed; expected {error}", remedy="write e.g.: --for 8h", id="usage.for") from None


@contextmanager
def kept(run: Run, lasting: timedelta | None) -> Iterator[None]:
    """While steps are made: write down who began and when, and when the environment ends, as soon as there is a VPC to tag.

    Args:
        lasting: moves the end to so long from now. None: ``lifecycle.ends`` counts, where no end is known yet.

    Raises:
        GenaiError: an end is wanted, and AWS could not be asked or refused.
    """
    wanted, aws = _wanted(run, lasting), run.clients.aws
    # Without an end, `wanted` says that no VPC was seen.
    if wanted is None or (wanted.ends is not None and lifetime.write(aws, wanted)):
        yield
        return
    with _written(aws, wanted):
        yield
    what = "its end" if wanted.ends else "who started it"
    try:
        lost = not lifetime.write(aws, wanted)
    except GenaiError as error:
        run.screen.warn(f"{what} is not written down: {error.message}")
        return
    # A run that makes no VPC begins no environment, but an end that was asked for belongs to one.
    if lost and wanted.ends:
        run.screen.warn("its end is not written down, since no VPC carries it yet; give --for again when infra.network is present")


def _wanted(run: Run, lasting: timedelta | None) -> Lifetime | None:
    """What is to be written down; None: nothing, because who began it is known already, or cannot be known."""
    setting, now = run.settings.lifecycle.ends, datetime.now(UTC)
    first = lifetime.Lifetime(started=now, started_by=lifetime.who())
    if lasting is None and setting is None:
        # Who continues it later is not who began it.
        return first if warn(run) is None else None
    before = lifetime.read(run.clients.aws)
    if lasting is None and before is not None and before.ends is not None:
        _warn(run, before)
        return None
    lasting = lasting if lasting is not None else durations.parse(str(setting))
    wanted = replace(before or first, ends=now + lasting)
    run.screen.say(f"ends {lifetime.iso(wanted.ends)}, in {length(lasting)}; nothing is removed by itself then: genai down{run.flags}")
    return wanted


@contextmanager
def _written(aws: Aws, wanted: Lifetime) -> Iterator[None]:
    """Beside the run, which may be killed at any time: tag the VPC within seconds of its creation."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_INTERVAL):
            try:
                if lifetime.write(aws, wanted):
                    return
            except GenaiError:
                continue  # the last try, after the run, says what is wrong

    thread = threading.Thread(target=work, name="lifetime", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def begin(run: Run) -> Future[Lifetime | None]:
    """Read it beside other looks, for ``warn``."""
    aws = run.clients.aws
    return parallel.begin(lambda: lifetime.read(aws), "lifetime")


def warn(run: Run, reading: Future[Lifetime | None] | None = None, limit: float = _LIMIT) -> Lifetime | None:
    """What is known of the environment's lifetime; a warning when its end has passed, or could not be read in so many seconds.

    Returns:
        None without a VPC; where AWS did not tell, a lifetime of which nothing is known.
    """
    try:
        found = parallel.answer(reading or begin(run), limit, "AWS")
    except GenaiError as error:
        run.screen.warn(f"whether its time has ended is not known: {error.message}")
        return Lifetime()
    if found is not None:
        _warn(run, found)
    return found


def _warn(run: Run, found: Lifetime) -> None:
    if found.ends is not None and (over := datetime.now(UTC) - found.ends) >= timedelta():
        run.screen.warn(
            f"its time ended {length(over)} ago; remove it: genai down{run.flags}, or move the end: genai up --for 8h{run.flags}"
        )


def told(found: Lifetime) -> str:
    """One line for people; empty when nothing is known."""
    parts, now = [], datetime.now(UTC)
    if found.started is not None:
        by = f", started by {found.started_by}" if found.started_by else ""
        parts.append(f"{length(now - found.started)} old, since {iso(found.started)}{by}")
    if found.ends is not None:
        left = found.ends - now
        parts.append(f"ends {iso(found.ends)}, {length(left)} left" if left > timedelta() else f"ended {iso(found.ends)}")
    return "; ".join(parts)


def document(found: Lifetime | None) -> dict[str, str | None]:
    """The same for programs; null: unknown."""
    known = found or Lifetime()
    return {"ends": iso(known.ends), "started": iso(known.started), "started_by": known.started_by}


def length(time: timedelta) -> str:
    """``45 min``, ``7 h 30 min``, ``2 d 4 h``; rounded to the nearest minute."""
    minutes = round(time.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    shown = [(days, "d"), (hours, "h")] if days else [(hours, "h"), (rest, "min")]
    return " ".join(f"{number} {unit}" for number, unit in shown if number) or "less than a minute"
