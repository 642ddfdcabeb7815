"""The plan as a nested list: families, their steps, and what each waits for."""

from __future__ import annotations

from collections.abc import Sequence

from genai_platform.engine.graph import Graph
from genai_platform.engine.usual import Usual
from genai_platform.ui.text import columns, rough


def nested(graph: Graph, ids: Sequence[str], usual: Usual) -> list[str]:
    """Lines for people. ``usual``: how long steps take."""
    lines: list[str] = []
    for family in dict.fromkeys(id.partition(".")[0] for id in ids):
        lines.append(family)
        rows = []
        for id in ids:
            if id.partition(".")[0] == family:
                needs = [need for need in graph.needs(id) if need in ids]
                takes = rough(usual.seconds(id, graph[id].minutes, "create"))
                rows.append([id.partition(".")[2], f"about {takes}", f"after {', '.join(needs)}" if needs else "at once"])
        lines += [f"  {line}" for line in columns(rows)]
    return lines
