"""Boxes and arrows as a Mermaid flowchart. Names go in as data: no text of a label can change the picture's shape.

Syntax: https://mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_SHAPES = {"box": "[{}]", "round": "([{}])", "store": "[({})]", "role": "{{{{{}}}}}"}
_ARROWS = {"call": "-->", "use": "-.->"}
_ODD = re.compile(r"[^\w ./,()-]|_|^-|[-.)](?= )")
"""What could mean something inside a label: to Mermaid, to HTML, or to Markdown, as which Mermaid reads each line of it."""
_STATES = {
    "present": ("#dafbe1", "stroke:#1a7f37", "color:#0f3d1c"),
    "absent": ("#f6f8fa", "stroke:#6e7781,stroke-dasharray:2 4", "color:#24292f"),
    "drifted": ("#fff8c5", "stroke:#9a6700,stroke-dasharray:8 3", "color:#3b2300"),
    "unknown": ("#fbefff", "stroke:#8250df,stroke-dasharray:1 3", "color:#2e1461"),
}
"""Each state's fill, line and text: a line of its own kind too, since not everybody sees the colour."""
_LOOKS = {
    "plain": "fill:none,stroke:#8c959f",
    **{state: f"fill:{fill},{line},{text}" for state, (fill, line, text) in _STATES.items()},
    **{f"{state}_area": f"fill:none,{line}" for state, (_, line, _) in _STATES.items()},
}
"""Mermaid's classes. Areas have no fill: boxes in the colours of their own states lie in them, and the page may be dark."""


@dataclass(frozen=True)
class Node:
    """One box, or an area with others in it.

    Args:
        id: letters, digits and ``_``; not a word of Mermaid's.
        lines: what is written in it.
        inside: the area that it lies in; empty for none.
        steps: the steps that make it; empty for what this environment does not make.
        state: as ``genai status`` has it; empty where nothing was looked at.
    """

    id: str
    lines: tuple[str, ...]
    inside: str = ""
    steps: tuple[str, ...] = ()
    shape: Literal["area", "box", "round", "store", "role"] = "box"
    state: str = ""

    @property
    def label(self) -> str:
        """Its text in one line."""
        return ", ".join(self.lines)


@dataclass(frozen=True)
class Arrow:
    """From one box to another; a ``use`` is drawn dotted."""

    start: str
    end: str
    text: str = ""
    kind: Literal["call", "use"] = "call"


def flowchart(title: str, nodes: Sequence[Node], arrows: Sequence[Arrow]) -> str:
    """The picture's text, without a line end after it. The same nodes and arrows give the same bytes.

    Args:
        title: read aloud by screen readers; a plain name.
    """
    lines = ["flowchart TB", f"  accTitle: {title}", *_inside("", nodes, "  ")]
    lines += [_arrow(arrow) for arrow in arrows]
    for name, look in _LOOKS.items():
        boxes = [node.id for node in nodes if _look(node) == name]
        if boxes:
            lines += [f"  classDef {name} {look}", f"  class {','.join(boxes)} {name}"]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """One line of a label, as data: whatever could mean something in it becomes its number (``#34;``)."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return _ODD.sub(lambda found: f"#{ord(found[0])};", line)


def _inside(area: str, nodes: Sequence[Node], indent: str) -> Iterator[str]:
    for node in nodes:
        if node.inside != area:
            continue
        if node.shape == "area":
            yield f"{indent}subgraph {node.id}[{_label(node)}]"
            yield from _inside(node.id, nodes, indent + "  ")
            yield f"{indent}end"
        else:
            yield f"{indent}{node.id}{_SHAPES[node.shape].format(_label(node))}"


def _label(node: Node) -> str:
    if node.shape == "area":  # its title has one line; Mermaid draws a second one over what is inside
        return f'"{quoted(node.label + (f" ({node.state})" if node.state else ""))}"'
    lines = [*node.lines, node.state] if node.state else node.lines
    return f'"{"<br/>".join(map(quoted, lines))}"'


def _look(node: Node) -> str:
    """The node's class; empty for Mermaid's own look: a box that has no state because nothing was looked at."""
    if not node.state:
        return "plain" if node.shape == "area" or not node.steps else ""
    return f"{node.state}_area" if node.shape == "area" else node.state


def _arrow(arrow: Arrow) -> str:
    text = f'|"{quoted(arrow.text)}"|' if arrow.text else ""
    return f"  {arrow.start} {_ARROWS[arrow.kind]}{text} {arrow.end}"
