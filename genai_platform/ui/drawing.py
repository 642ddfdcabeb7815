"""The architecture as a picture (SVG): one box a step, in columns by what it waits for, in the colour and word of its state."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from genai_platform.engine.graph import Graph
from genai_platform.engine.step import Observation

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _EDGE = 150, 40, 46, 14, 8


def drawing(graph: Graph, states: Mapping[str, Observation]) -> str:
    """An SVG of the given steps; nothing is drawn that was not looked at."""
    places = _places(graph, states)
    if not places:
        return ""
    right = max(x for x, _ in places.values()) + _WIDTH + _EDGE
    bottom = max(y for _, y in places.values()) + _HEIGHT + _EDGE
    lines = [_line(places[need], places[id]) for id in places for need in _near_needs(graph, id) if need in places]
    boxes = [_box(id, states[id], *places[id]) for id in places]
    return f'<svg viewBox="0 0 {right} {bottom}" role="img" aria-label="architecture">{"".join(lines)}{"".join(boxes)}</svg>'


def _places(graph: Graph, states: Mapping[str, Observation]) -> dict[str, tuple[int, int]]:
    columns: dict[str, int] = {}
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for id in graph.ordered(states):
        column = max((columns[need] + 1 for need in graph.needs(id) if need in columns), default=0)
        columns[id] = column
        row = rows[column] = rows.get(column, -1) + 1
        places[id] = (_EDGE + column * (_WIDTH + _GAP_X), _EDGE + row * (_HEIGHT + _GAP_Y))
    return places


def _near_needs(graph: Graph, id: str) -> list[str]:
    """Needs that no other need implies: fewer lines, the same meaning."""
    needs = graph.needs(id)
    implied = {far for need in needs for far in graph.closure([need]) if far != need}
    return [need for need in needs if need not in implied]


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path d="M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}" fill="none" stroke="currentColor" stroke-opacity=".35"/>'


def _box(id: str, finding: Observation, x: int, y: int) -> str:
    state = escape(finding.state.value)
    return (
        f'<g class="{state}"><title>{escape(id)}: {state}: {escape(finding.evidence)}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<text x="{x + 8}" y="{y + 17}">{escape(id)}</text><text x="{x + 8}" y="{y + 32}" opacity=".75">{state}</text></g>'
    )
