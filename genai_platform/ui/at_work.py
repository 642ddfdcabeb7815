"""What a run that goes on elsewhere is doing, as the journal tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genai_platform.engine.events import now
from genai_platform.engine.lock import Holder
from genai_platform.ui.text import since


def at_work(events: Sequence[Mapping[str, Any]], holder: Holder) -> str:
    """``12 of 28 steps done; now infra.cluster (aws_eks_cluster.this: creating (since 13:05:10, usually 12 min))``.

    Args:
        events: of the latest run in the journal.
        holder: who holds the environment's lock.

    Returns:
        Empty where the latest run is not the holder's: it has not begun its steps, or does nothing with steps.
    """
    if not events or events[-1].get("event") == "run.finished":
        return ""
    # The holder's command has the options, too.
    if not f"{holder.command} ".startswith(f"{events[0].get('command')} "):
        return ""
    finished = {event["step"] for event in events if event["event"] == "step.finished"}
    doing: dict[str, str] = {}
    for event in events:
        if event["event"] == "step.started" and event.get("action") != "probe":
            doing[event["step"]] = "begun"
        elif event["event"] == "step.said" and event["step"] in doing:
            doing[event["step"]] = f"{event['text']}{since(str(event.get('since')), now(), event.get('usual_seconds'))}"
    going_on = [f"{id} ({said})" for id, said in doing.items() if id not in finished]
    return f"{len(finished)} of {len(events[0]['steps'])} steps done" + (f"; now {'; '.join(going_on)}" if going_on else "")
