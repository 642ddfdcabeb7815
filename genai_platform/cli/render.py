"""``genai render``: exactly what would be applied, as files or text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import GenaiError, NeverBuilt
from genai_platform.files import write_private

if TYPE_CHECKING:
    from genai_platform.engine.step import Step
    from genai_platform.steps.clients import Clients

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Steps or families; default: all.", metavar="STEP", show_default=False, autocompletion=completion.steps),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the files into this folder.", file_okay=False)]
Secrets = Annotated[bool, typer.Option("--show-secrets", help="Show the values of secrets instead of leaving them out.")]
app = typer.Typer()


@command(app, "render", "genai render azure.policy --out rendered")
def render(run: Run, steps: Names = None, out: Out = None, show_secrets: Secrets = False) -> None:
    """Show exactly what would be applied."""
    from genai_platform.cli import preflight

    preflight.names(run, steps or (), ())
    ids = run.graph.expand(steps) if steps else run.graph.ids
    found: dict[str, str] = {}
    later: dict[str, str] = {}
    for id in ids:
        try:
            found |= _files(run.graph[id], show_secrets)
        except GenaiError as error:
            later[id] = error.message
    if not show_secrets:
        found = without(_values(run.clients), found)
    for id, reason in later.items():
        run.screen.warn(f"{id} can be rendered once what it needs is there: {reason}")
    for name, text in found.items():
        if out is not None:
            write_private(out / name, text)
        elif not run.screen.json:
            print(f"# {name}\n{text}", end="" if text.endswith("\n") else "\n", flush=True)
    if out is not None:
        run.screen.tell(f"{len(found)} files in {out}")
    run.screen.document({"rendered": found, "later": later})


def _files(step: Step, secrets: bool) -> dict[str, str]:
    """File names and texts of one step: its objects, the files inside them, and what it hands over otherwise."""
    from genai_platform.render import manifests

    found: dict[str, str] = {}
    documents = step.documents() if hasattr(step, "documents") else []
    if documents:
        found[f"{step.id}.yaml"] = manifests.as_text(documents, secrets=secrets)
    for document in documents:
        if document["kind"] == "ConfigMap":
            found |= {f"{step.id}/{name}": text for name, text in document.get("data", {}).items()}
    more = step.files() if hasattr(step, "files") else {}
    return found | {f"{step.id}/{name}": text for name, text in more.items()}


def without(values: Collection[str], found: Mapping[str, str]) -> dict[str, str]:
    """The files without these values, wherever they occur: a load balancer's rule holds one, too."""
    hidden = sorted(values, key=len, reverse=True)  # a value may be part of a longer one
    pattern = re.compile("|".join(map(re.escape, hidden)))
    return {name: pattern.sub("(secret)", text) if hidden else text for name, text in found.items()}


def _values(clients: Clients) -> set[str]:
    """The platform's secrets as far as they were made; what was not made cannot be shown."""
    try:
        stored = clients.secrets()
    except NeverBuilt:
        return set()
    return set(stored.model_copy(update={"ca_certificate": None}).values())
