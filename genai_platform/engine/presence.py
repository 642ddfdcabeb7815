"""How long each step has been present since the environment was last removed, as this machine's journal tells it. An estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Presence:
    """What the journal knows.

    Attributes:
        since: when the first step became present after the last ``down``; None: nothing did.
        began: the steps that are present, and since when.
        seconds: how long steps were present that are absent now.
        unknown: steps that were found present; when that began, this journal does not know.
    """

    since: datetime | None = None
    began: dict[str, datetime] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def hours(self, step: str, now: datetime) -> float:
        """How long a step was present altogether, since ``since``."""
        running = (now - self.began[step]).total_seconds() if step in self.began else 0.0
        return (self.seconds.get(step, 0.0) + max(0.0, running)) / 3600


def presence(events: Iterable[Mapping[str, Any]]) -> Presence:
    """Read a journal's events, oldest first.

    A step becomes present when its ``apply`` ends well, and absent when its ``destroy`` does. What failed stays as it was; where a
    later look finds it present, it counts from the start of that ``apply``. A finished ``genai down`` ends the account: what it
    retained counts from the next ``up`` on.
    """
    found = Presence()
    actions: dict[str, str] = {}
    tried: dict[str, datetime] = {}
    command = ""
    for event in events:
        time = _time(event)
        if time is None:
            continue
        step = str(event.get("step"))
        match event.get("event"), event.get("action"):
            case "run.started", _:
                command, actions = str(event.get("command")), {}
            case "step.started", str() as action:
                actions[step] = action
                if action == "apply":
                    tried.setdefault(step, time)
            case "step.finished", _:
                match event.get("outcome"), actions.get(step):
                    case "done", "apply":
                        _present(found, step, time)
                        tried.pop(step, None)
                    case ("done", "destroy") | ("absent", _):
                        _absent(found, step, time)
                        tried.pop(step, None)
                    case "present", _:
                        if step in tried:
                            _present(found, step, tried.pop(step))
                        elif step not in found.began:
                            found.unknown.add(step)
            case "run.finished", _ if command.split()[1:2] == ["down"] and event.get("ok") is True:
                found.since = None
                found.seconds.clear()
    return found


def _present(found: Presence, step: str, time: datetime) -> None:
    if found.since is None:
        found.since = time
        found.began = dict.fromkeys(found.began, time)
    # What was changed in place was present before.
    if step not in found.unknown:
        found.began.setdefault(step, time)


def _absent(found: Presence, step: str, time: datetime) -> None:
    found.unknown.discard(step)
    if began := found.began.pop(step, None):
        found.seconds[step] = found.seconds.get(step, 0.0) + (time - began).total_seconds()


def _time(event: Mapping[str, Any]) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo else None
