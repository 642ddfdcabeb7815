"""patch.*: the work after the chart is installed, as it is done by hand: look at each object, do what is missing, say what was there."""

from __future__ import annotations

from genai_platform.engine.step import Step
from genai_platform.steps.clients import Clients
from genai_platform.steps.patch.disk import Disk
from genai_platform.steps.patch.identity import Identity


def steps(clients: Clients) -> list[Step]:
    """Both steps. The disk comes second: without the role ClickHouse could not reach it."""
    return [Identity(clients), Disk(clients)]
