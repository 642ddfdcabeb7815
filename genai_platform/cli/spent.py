"""What an environment cost since ``up``, as far as this machine's journal knows. An estimate: today's settings and prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_platform.cli.run import Run


@dataclass(frozen=True)
class Spent:
    """US dollars, and since when."""

    usd: float
    since: datetime

    @property
    def told(self) -> str:
        """``about $4.10 since 08:31``; with the date where that was another day. The time is this machine's."""
        local = self.since.astimezone()
        today = local.date() == datetime.now().astimezone().date()
        return f"about ${self.usd:.2f} since {local.strftime('%H:%M' if today else '%Y-%m-%d %H:%M')}"


def spent(run: Run, present: Iterable[str] | None = None, among: Iterable[str] | None = None) -> Spent | None:
    """What was spent since the first step of this environment became present.

    Args:
        present: the steps that were seen; not given: those that the journal takes to be present.

        among: the steps whose cost is asked for; not given: all.

    Returns:
        None where the journal does not know: nothing was built from here, or somebody built or removed a part elsewhere.
    """
    from genai_platform.cli.price_list import current
    from genai_platform.config.prices import parts
    from genai_platform.engine.journal import read
    from genai_platform.engine.presence import presence

    settings = run.settings
    steps = None if among is None else set(among)
    asked = [part for part in parts(settings) if steps is None or part.step in steps]
    priced = {part.step for part in asked}
    found = presence(read(run.world.configured.folder / "journal.jsonl"))
    seen = found.began.keys() | found.unknown if present is None else set(present)
    if found.since is None or seen & priced != found.began.keys() & priced:
        return None
    prices, now = current(settings), datetime.now(UTC)
    usd = sum(part.usd_per_hour(prices) * found.hours(part.step, now) for part in asked)
    return Spent(round(usd, 4), found.since)


def document(account: Spent | None) -> dict[str, Any] | None:
    """As ``--json`` has it."""
    return None if account is None else {"usd": account.usd, "since": account.since.astimezone(UTC).isoformat(timespec="seconds")}
