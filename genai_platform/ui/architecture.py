"""The architecture as a picture (SVG): areas with boxes in them, arrows between, each with the colour, line and word of its state.

The same nodes and arrows as in ``genai diagram``. Two pictures of them, one for a wide page and one for a telephone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from genai_platform.render.diagram import Diagram
from genai_platform.render.mermaid import Arrow, Node
from genai_platform.ui.text import width

_LINE, _PAD, _GAP, _TITLE = 15, 8, 18, 22
_LETTER, _BOLD = 6.8, 7.4
"""Pixels of a column of text at 12 pixels, in the wider of the usual fonts."""
_WIDE: tuple[tuple[tuple[str, ...], int], ...] = ((("people", "callers"), 150), (("aws",), 560), (("azure",), 290))
"""The columns of the wide picture: what is in each, and its width."""
_NARROW: tuple[tuple[tuple[str, ...], int], ...] = ((("people", "callers", "aws", "azure"), 350),)
_COLUMN_GAP = 50

STYLE = """
.arch { width: 100%; height: auto; } .arch text { font: 12px system-ui, sans-serif; fill: currentColor; }
.arch .title { font-weight: 600; } .arch .arrow { fill: none; stroke: currentColor; stroke-opacity: .55; }
.arch .use { stroke-dasharray: 2 4; } .arch marker path { fill: currentColor; fill-opacity: .7; }
.arch rect { fill: var(--box); stroke: var(--edge); stroke-width: 1.5; } .arch .area > rect { fill: none; }
.arch .present rect { --edge: var(--ok); --box: var(--ok-box); } .arch .present .state { fill: var(--ok); }
.arch .absent rect { --edge: var(--bad); --box: var(--bad-box); stroke-dasharray: 2 4; } .arch .absent .state { fill: var(--bad); }
.arch .drifted rect { --edge: var(--odd); --box: var(--odd-box); stroke-dasharray: 8 3; } .arch .drifted .state { fill: var(--odd); }
.arch .unknown rect { --edge: var(--odd); --box: var(--odd-box); stroke-dasharray: 1 3; } .arch .unknown .state { fill: var(--odd); }
.arch .area.present rect, .arch .area.absent rect, .arch .area.drifted rect, .arch .area.unknown rect { --box: none; }
.narrow { display: none; } @media (max-width: 46rem) { .narrow { display: block; } .wide { display: none; } }
"""


@dataclass
class _Box:
    """A node's place, in pixels, and its text."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    titles: list[str]
    """Its first line, in as many pieces as fit."""
    lines: list[str] = field(default_factory=list)

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def architecture(drawn: Diagram) -> str:
    """Both pictures, and the arrows in words."""
    if not drawn.nodes:
        return ""
    return _picture(drawn, _WIDE, "wide") + _picture(drawn, _NARROW, "narrow") + _connections(drawn)


def _picture(drawn: Diagram, columns: Sequence[tuple[tuple[str, ...], int]], name: str) -> str:
    boxes: dict[str, _Box] = {}
    x, bottom = 2.0, 0.0
    for ids, across in columns:
        chosen = [node for node in drawn.nodes if not node.inside and node.id in ids]
        if chosen:
            bottom = max(bottom, _place(chosen, drawn.nodes, boxes, x, 2.0, across))
            x += across + _COLUMN_GAP
    right = x - _COLUMN_GAP + 2
    areas = "".join(_area(box) for box in boxes.values() if box.node.shape == "area")
    arrows = "".join(_arrow(boxes[arrow.start], boxes[arrow.end], arrow, name) for arrow in drawn.arrows)
    leaves = "".join(_leaf(box) for box in boxes.values() if box.node.shape != "area")
    tip = f'<marker id="tip-{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return (
        f'<svg class="arch {name}" viewBox="0 0 {right:.0f} {bottom + 2:.0f}" role="img" aria-label="architecture">'
        f'<defs>{tip}<path d="M0,0 L8,4 L0,8 z"/></marker></defs>{areas}{arrows}{leaves}</svg>'
    )


# -- places -----------------------------------------------------------------------------------------
def _place(nodes: Sequence[Node], every: Sequence[Node], boxes: dict[str, _Box], x: float, y: float, across: float) -> float:
    """Put nodes below each other, boxes side by side where there is room; answers where they end."""
    row: list[Node] = []
    for node in nodes:
        if node.shape != "area":
            row.append(node)
            continue
        y = _row(row, boxes, x, y, across)
        row = []
        title = _wrapped(f"{node.label} {node.state}".strip(), across - 2 * _PAD, _BOLD)
        boxes[node.id] = box = _Box(node, x, y, across, 0, title)
        top = y + _TITLE + (len(title) - 1) * _LINE
        inside = [one for one in every if one.inside == node.id]
        end = _place(inside, every, boxes, x + _PAD, top + 4, across - 2 * _PAD)
        box.height = max(end - _GAP, top) + _PAD - y
        y += box.height + _GAP
    return _row(row, boxes, x, y, across)


def _row(nodes: Sequence[Node], boxes: dict[str, _Box], x: float, y: float, across: float) -> float:
    if not nodes:
        return y
    in_row = max(1, min(len(nodes), int((across + _GAP) // (130 + _GAP))))
    each = (across - _GAP * (in_row - 1)) / in_row
    for start in range(0, len(nodes), in_row):
        made = []
        for number, node in enumerate(nodes[start : start + in_row]):
            title = _wrapped(node.lines[0], each - 2 * _PAD, _BOLD)
            lines = [piece for line in node.lines[1:] for piece in _wrapped(line, each - 2 * _PAD, _LETTER)]
            made.append(_Box(node, x + number * (each + _GAP), y, each, 0, title, lines))
        height = max(len(box.titles) + len(box.lines) + bool(box.node.state) for box in made) * _LINE + _PAD + 4
        for box in made:
            box.height = height
            boxes[box.node.id] = box
        y += height + _GAP
    return y


def _wrapped(line: str, pixels: float, letter: float) -> list[str]:
    """A line in pieces that fit; a word that is longer than a line is cut."""
    room, found, now = int(pixels / letter), list[str](), ""
    for word in line.split():
        if now and width(f"{now} {word}") > room:
            found.append(now)
            now = ""
        now = f"{now} {word}".strip()
        while width(now) > room:
            cut = next(size for size in range(len(now), 0, -1) if width(now[:size]) <= room)
            # Rather after a mark than within a name.
            cut = max((at + 1 for at, char in enumerate(now[:cut]) if char in "-./:"), default=cut)
            found.append(now[:cut])
            now = now[cut:]
    return [*found, now]


# -- drawing ----------------------------------------------------------------------------------------
def _area(box: _Box) -> str:
    texts = [escape(line) for line in box.titles]
    if box.node.state:
        # It was counted with the title, and comes last.
        texts[-1] = f'{texts[-1].removesuffix(box.node.state)}<tspan class="state">{escape(box.node.state)}</tspan>'
    return _group(box, "".join(_text(box, number, text, "title") for number, text in enumerate(texts)), "area ")


def _leaf(box: _Box) -> str:
    lines = [(line, "title") for line in box.titles] + [(line, "") for line in box.lines]
    lines += [(box.node.state, "state")] if box.node.state else []
    return _group(box, "".join(_text(box, number, escape(line), kind) for number, (line, kind) in enumerate(lines)))


def _text(box: _Box, number: int, content: str, kind: str) -> str:
    """A line of a box. ``content`` is markup."""
    return f'<text class="{kind}" x="{box.x + _PAD:.0f}" y="{box.y + 16 + number * _LINE:.0f}">{content}</text>'


def _group(box: _Box, texts: str, kind: str = "") -> str:
    corner = {"round": 18, "store": 12, "role": 2}.get(box.node.shape, 5)
    return (
        f'<g class="{kind}{escape(box.node.state)}"><title>{escape(box.node.label)}</title>'
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="{corner}"/>{texts}</g>'
    )


def _arrow(start: _Box, end: _Box, arrow: Arrow, name: str) -> str:
    """From edge to edge, on the sides that face each other."""
    (x1, y1), (x2, y2) = start.middle, end.middle
    if start.x + start.width <= end.x or end.x + end.width <= start.x:
        way = 1 if x1 < x2 else -1
        x1, x2 = x1 + way * start.width / 2, x2 - way * end.width / 2
        bend = max(abs(x2 - x1) / 2, 12)
        curve = f"{x1 + way * bend:.0f},{y1:.0f} {x2 - way * bend:.0f},{y2:.0f}"
    else:
        way = 1 if y1 < y2 else -1
        y1, y2 = y1 + way * start.height / 2, y2 - way * end.height / 2
        bend = max(abs(y2 - y1) / 2, 8)
        curve = f"{x1:.0f},{y1 + way * bend:.0f} {x2:.0f},{y2 - way * bend:.0f}"
    text = f"{start.node.lines[0]} → {end.node.lines[0]}" + (f": {arrow.text}" if arrow.text else "")
    return (
        f'<path class="arrow {arrow.kind}" d="M{x1:.0f},{y1:.0f} C{curve} {x2:.0f},{y2:.0f}" marker-end="url(#tip-{name})">'
        f"<title>{escape(text)}</title></path>"
    )


def _connections(drawn: Diagram) -> str:
    titles = {node.id: node.label for node in drawn.nodes}
    rows = "".join(
        f"<tr><td>{escape(titles[one.start])}</td><td>{escape(titles[one.end])}</td><td>{escape(one.text)}</td></tr>"
        for one in drawn.arrows
    )
    return f"<details><summary>The arrows in words</summary><table><tr><th>from</th><th>to</th><th>what</th></tr>{rows}</table></details>"
