"""What commands that run steps say and write at the end."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from genai_platform.ui.screen import Screen

if TYPE_CHECKING:
    from genai_platform.engine.scheduler import Report


def steps_document(report: Report) -> dict[str, Any]:
    """The part that ``up``, ``patch``, ``down`` and ``teardown`` share."""
    return {
        "ok": report.ok,
        "interrupted": report.interrupted,
        "seconds": round(report.seconds, 1),
        "steps": [asdict(result) | {"seconds": round(result.seconds, 1)} for result in report.results],
    }


def failures(screen: Screen, report: Report) -> None:
    """Each failed step with its cause and remedy, then what was not attempted."""
    for result in report.failed:
        screen.tell(f"failed: {result.id}: {result.evidence}")
        if result.remedy:
            screen.tell(f"  -> {result.remedy}")
    skipped = [result.id for result in report.results if result.outcome == "skipped"]
    if skipped:
        screen.tell(f"not attempted: {', '.join(skipped)}")
