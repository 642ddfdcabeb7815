"""Mermaid's own parser reads the pictures, and understands what was meant.

``make mermaid`` installs it in the cache; Node.js is the one that the sandbox uses.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from genai_platform.programs.cache import cache_folder
from genai_platform.render.diagram import Diagram
from genai_platform.render.mermaid import Node, flowchart
from genai_platform.sandbox.litellm import prisma_client
from tests.render.diagrams import AZURE, EVERYTHING, drawn

SCRIPT = Path(__file__).with_name("mermaid.mjs")
HOSTILE = (
    'quote " and ] and ) and }', "`markdown`", "*bold* and __bold__", "- a", "1. a", "---", "# heading", "    code", "| cell |",
    "%%{init: {} }%%", "#quot;]", "style a fill:#fff;", "a --> b", "<script>alert(1)</script>", "<!-- /genai diagram -->", "```",
    "&lt;&#35;", "line\nend\nclass", "end", "日本語のモデル", "👩‍💻", "\x1b[31mred", "\u202eright to left", "click x href",
)  # fmt: skip
ACCOUNT = "https://acme.openai.azure.com"


def models(*names: str) -> dict[str, Any]:
    return {"models": [{"name": name, "azure_deployment": name, "api_base": f"{ACCOUNT}/{number}"} for number, name in enumerate(names)]}


DIAGRAMS = {
    "default": drawn({}),
    "default, looked at": drawn({}, looked_at=True),
    "without Azure": drawn({"litellm": models("gpt-4o"), "azure": {"enabled": False}}),
    "two replicas and a domain": drawn(
        {"litellm": {"replicas": 2, **models("gpt-4o")}, "ingress": {"domain": "genai.example.com"}, "azure": AZURE}
    ),
    "everything, looked at": drawn({**EVERYTHING, "litellm": models("gpt-4o", "gpt-4o-mini")}, looked_at=True),
    **{f"hostile name {number}": drawn({"litellm": models(name), "azure": AZURE}) for number, name in enumerate(HOSTILE)},
    "many": drawn(
        {
            "litellm": models(*(f"model-{number}" for number in range(300))),
            "azure": {**AZURE, "callers": {f"caller-{number}": {} for number in range(400)}},
        }
    ),
}


def read(texts: list[str], folder: Path) -> list[dict[str, Any]]:
    """What Mermaid understands of each text."""
    given = folder / "diagrams.json"
    given.write_text(json.dumps(texts), encoding="utf-8")
    installed = cache_folder() / "mermaid"
    assert (installed / "node_modules").is_dir(), "Mermaid is not installed; run: make mermaid"
    words = [str(prisma_client.node()), "--input-type=module", "--eval", SCRIPT.read_text(encoding="utf-8"), str(given)]
    done = subprocess.run(words, cwd=installed, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def understood(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of every picture, by one process."""
    found = read([diagram.mermaid for diagram in DIAGRAMS.values()], tmp_path_factory.mktemp("mermaid"))
    return dict(zip(DIAGRAMS, found, strict=True))


def plain(text: str) -> str:
    """A label as Mermaid will show it: it writes characters given by number in marks of its own."""
    return re.sub(r"ﬂ°°(\d+)¶ß", lambda found: chr(int(found[1])), text)


def one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def expected(node: Node) -> str:
    lines = [one_line(line) for line in node.lines]
    if node.shape == "area":
        return ", ".join(lines) + (f" ({node.state})" if node.state else "")
    return "<br/>".join([*lines, *([node.state] if node.state else [])])


@pytest.mark.parametrize("name", DIAGRAMS)
def test_mermaid_understands_the_picture(name: str, understood: dict[str, dict[str, Any]]) -> None:
    diagram: Diagram = DIAGRAMS[name]
    found = understood[name]
    assert "error" not in found, found["error"]
    shown = {box["id"]: plain(box["text"]) for box in (*found["boxes"], *found["areas"])}
    assert shown == {node.id: expected(node) for node in diagram.nodes}
    inside = {one: area["id"] for area in found["areas"] for one in area["nodes"]}
    assert inside == {node.id: node.inside for node in diagram.nodes if node.inside}
    classes = {box["id"]: box["classes"] for box in (*found["boxes"], *found["areas"])}
    states = {node.id: [f"{node.state}_area" if node.shape == "area" else node.state] for node in diagram.nodes if node.state}
    assert {id: classes[id] for id in states} == states
    assert {one for given in classes.values() for one in given} <= set(found["classes"])


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_picture_keeps_within_mermaids_limits(name: str, understood: dict[str, dict[str, Any]]) -> None:
    """By default it draws 50,000 characters and 500 arrows at most (``maxTextSize``, ``maxEdges``)."""
    assert len(DIAGRAMS[name].mermaid) < 50_000
    assert len(understood[name]["arrows"]) < 500


def test_the_parser_refuses_what_is_not_mermaid(tmp_path: Path) -> None:
    sound, *broken = read([flowchart("a", [Node("a", ("x",))], []), 'flowchart TB\n  a["x', "flowchart TB\n  end"], tmp_path)
    assert "error" not in sound
    assert ["error" in found for found in broken] == [True, True]
