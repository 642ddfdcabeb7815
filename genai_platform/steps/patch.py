"""patch.*: the work after the chart is installed, as it is done by hand: look at each object, do what is missing, say what was there."""

from __future__ import annotations

from genai_platform.graph.step import Step
from genai_platform.steps.doors import Doors
from genai_platform.steps.patch_disk import Disk
from genai_platform.steps.patch_identity import Identity


def steps(doors: Doors) -> list[Step]:
    """Both steps. The disk comes second: without the role ClickHouse could not reach it."""
    return [Identity(doors), Disk(doors)]
