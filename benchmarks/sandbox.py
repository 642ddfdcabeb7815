"""What a running sandbox tells. Nothing is started, and nothing is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Pair, compare

_ABSENT = "no sandbox runs in this folder: not compared (start one with: genai up --sandbox)"


def pairs(rounds: int = 3) -> Iterator[Pair | str]:
    """Looking at everything at once against one after another; a second ``up``; ``verify``; and the last ``up`` that made things."""
    status = _genai("status", "--sandbox", "--json")
    if status is None:
        yield _ABSENT
        return
    waiting = [step["id"] for step in status["steps"] if step["state"] != "present"]
    if waiting:
        yield f"the sandbox is not complete ({', '.join(waiting[:3])}): not compared (run: genai up --sandbox)"
        return
    yield from _status(rounds)
    yield from _probes(rounds)
    yield from _together("up, everything present", _genai("up", "--sandbox", "--json", "--yes"), "steps")
    yield from _together("verify", _genai("verify", "--sandbox", "--json"), "checks")
    yield made(Path(".genai/sandbox/journal.jsonl"))


def _status(rounds: int) -> Iterator[Pair]:
    """The whole command, against what a person would do with Terraform alone."""
    variables = (_genai("sandbox", "env", "--json") or {}).get("variables", {})
    roots = sorted(state.parent for state in Path(".genai/sandbox/terraform").glob("*/terraform.tfstate"))

    def plan() -> None:
        for root in roots:
            subprocess.run(
                ["terraform", f"-chdir={root}", "plan", "-input=false", "-lock=false"],
                env={**os.environ, **variables},
                capture_output=True,
                check=True,
            )

    yield compare(
        "status", lambda: _genai("status", "--sandbox", "--json"), f"terraform plan of {len(roots)} roots, one by one", plan, rounds=rounds
    )


def _probes(rounds: int) -> Iterator[Pair]:
    from genai_platform.cli.options import Options
    from genai_platform.cli.run import Run
    from genai_platform.engine.scheduler import observe_all
    from genai_platform.ui.screen import Screen

    with Run(Options(sandbox=True), Screen(json=True, quiet=True)) as run:
        steps = list(run.graph)
        yield compare(
            f"{len(steps)} steps observed at once",
            lambda: observe_all(steps),
            "one after another",
            lambda: [step.observe() for step in steps],
            rounds=rounds,
        )


def _together(what: str, document: Mapping[str, Any] | None, parts: str) -> Iterator[Pair | str]:
    if document is None:
        yield f"{what}: did not succeed, not compared"
        return
    yield Pair(f"{what}: {len(document[parts])} {parts}", document["seconds"], "their times added up", _sum(document[parts]))


def made(path: Path) -> Pair | str:
    """The last finished ``up`` in a journal that made something, against the times of its steps added up."""
    from genai_platform.engine.journal import read

    steps: list[dict[str, Any]] = []
    found: Pair | str = "no `up` that made something is in the journal: not compared"
    command = ""
    for event in read(path):
        match event.get("event"):
            case "run.started":
                steps, command = [], str(event.get("command", ""))
            case "step.finished" if event.get("outcome") == "done":
                steps.append(event)
            case "run.finished" if steps and event.get("ok") and command.startswith("genai up"):
                found = Pair(f"up from the journal: {len(steps)} steps made", event["seconds"], "their times added up", _sum(steps))
    return found


def _sum(parts: Sequence[Mapping[str, Any]]) -> float:
    return float(sum(part["seconds"] for part in parts))


def _genai(*arguments: str) -> dict[str, Any] | None:
    """What a command says; None when it does not end well."""
    done = subprocess.run([sys.executable, "-m", "genai_platform", *arguments], capture_output=True, text=True, check=False)
    document: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return document
