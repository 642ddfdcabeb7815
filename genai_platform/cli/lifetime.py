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

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.tools.aws.client import Aws
    from genai_platform.tools.aws.lifetime import Lifetime

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
    """While steps are made: write down when the environment ends, as soon as there is something to write it on.

    Args:
        lasting: moves the end to so long from now. None: ``lifecycle.ends`` counts, where no end is known yet.

    Raises:
        GenaiError: an end is wanted, and AWS could not be asked or refused.
    """
    from genai_platform.tools.aws import lifetime

    setting = run.settings.lifecycle.ends
    if lasting is None and setting is None:
        warn(run)
        yield
        return
    aws, now = run.clients.aws, datetime.now(UTC)
    before = lifetime.read(aws)
    if lasting is None and before is not None and before.ends is not None:
        _warn(run, before)
        yield
        return
    lasting = lasting if lasting is not None else durations.parse(str(setting))
    # Of an environment that was built without an end, nobody knows since when it exists.
    first = lifetime.Lifetime(started=now, started_by=lifetime.who())
    wanted = replace(before or first, ends=now + lasting)
    run.screen.say(f"ends {lifetime.iso(wanted.ends)}, in {length(lasting)}; nothing is removed by itself then: genai down{run.flags}")
    if lifetime.write(aws, wanted):
        yield
        return
    with _written(aws, wanted):
        yield
    try:
        lost = not lifetime.write(aws, wanted)
    except GenaiError as error:
        run.screen.warn(f"its end is not written down: {error.message}")
        return
    if lost:
        run.screen.warn("its end is not written down, since no VPC carries it yet; give --for again when infra.network is present")


@contextmanager
def _written(aws: Aws, wanted: Lifetime) -> Iterator[None]:
    """Beside the run, which may be killed at any time: tag the VPC within seconds of its creation."""
    from genai_platform.tools.aws import lifetime

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
    from genai_platform.tools.aws import lifetime
    from genai_platform.tools.parallel import begin

    aws = run.clients.aws
    return begin(lambda: lifetime.read(aws), "lifetime")


def warn(run: Run, reading: Future[Lifetime | None] | None = None, limit: float = _LIMIT) -> Lifetime | None:
    """What is known of the environment's lifetime; a warning when its end has passed, or could not be read in so many seconds."""
    from genai_platform.tools.parallel import answer

    try:
        found = answer(reading or begin(run), limit, "AWS")
    except GenaiError as error:
        run.screen.warn(f"whether its time has ended is not known: {error.message}")
        return None
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
    from genai_platform.tools.aws.lifetime import iso

    parts = []
    if found.started is not None:
        parts.append(f"since {iso(found.started)}" + (f", started by {found.started_by}" if found.started_by else ""))
    if found.ends is not None:
        left = found.ends - datetime.now(UTC)
        parts.append(f"ends {iso(found.ends)}, {length(left)} left" if left > timedelta() else f"ended {iso(found.ends)}")
    return "; ".join(parts)


def document(found: Lifetime | None) -> dict[str, str | None]:
    """The same for programs; null: unknown."""
    from genai_platform.tools.aws.lifetime import Lifetime, iso

    known = found or Lifetime()
    return {"ends": iso(known.ends), "started": iso(known.started), "started_by": known.started_by}


def length(time: timedelta) -> str:
    """``45 min``, ``7 h 30 min``, ``2 d 4 h``; rounded to the nearest minute."""
    minutes = round(time.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    shown = [(days, "d"), (hours, "h")] if days else [(hours, "h"), (rest, "min")]
    return " ".join(f"{number} {unit}" for number, unit in shown if number) or "less than a minute"
