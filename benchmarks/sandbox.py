"""What a running sandbox tells. Nothing is started, and nothing is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Pair, compare
from genai_platform import programs
from genai_platform.tools.terraform.client import ROOTS
from genai_platform.tools.terraform.program import COLLECTOR

_ABSENT = "no sandbox runs in this folder: not compared (start one with: genai up --sandbox)"
_FOLDER = Path(".genai/sandbox")
_IMPORTS = """
from genai_platform.cli import app
from genai_platform.steps import catalog
from genai_platform.tools import libraries

libraries.load(azure=True)
"""


def pairs(rounds: int = 3) -> Iterator[Pair | str]:
    """Looking at everything at once against one after another; a second ``up``; ``verify``; and the last ``up`` that made things."""
    if reason := _not_compared():
        yield reason
        return
    yield from _probes(rounds)
    yield from _together("up, everything present", _genai("up", "--sandbox", "--json", "--yes"), "steps")
    yield from _together("verify", _genai("verify", "--sandbox", "--json"), "checks")
    yield made(_FOLDER / "journal.jsonl")


def status_pairs(rounds: int = 3) -> Iterator[Pair | str]:
    """``status``, the whole command, against what a person would do with Terraform alone, and against its imports."""
    if reason := _not_compared():
        yield reason
        return
    plans = _plans()

    def status() -> None:
        subprocess.run(_argv("status", "--sandbox"), capture_output=True, check=True)

    def imports() -> None:
        subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, check=True)

    yield from _succeeding("status", status, "terraform plan of the roots, one by one", plans, rounds)
    yield from _succeeding("status", status, "its imports alone", imports, rounds)


def terraform_pairs(rounds: int = 3) -> Iterator[Pair | str]:
    """Terraform's plans as they are run here, against Go's default for the garbage collector."""
    if reason := _not_compared():
        yield reason
        return
    ours, default = _plans(), _plans(GOGC="100")
    yield from _succeeding("terraform plan of the roots", ours, "with Go's default collector", default, rounds)


def _plans(**variables: str) -> Callable[[], None]:
    """Runs ``terraform plan`` in each root, one after the other, with the sandbox's variables, the collector's, and these."""
    found = (_genai("sandbox", "env", "--json") or {}).get("variables", {})
    environment = {**os.environ, **COLLECTOR, **found, **variables}
    roots = [root for root in ROOTS if (_FOLDER / "terraform" / root / ".terraform").is_dir()]
    terraform = str(programs.find("terraform"))

    def plan() -> None:
        for root in roots:
            argv = [terraform, f"-chdir={_FOLDER / 'terraform' / root}", "plan", "-input=false", "-lock=false", "-no-color"]
            subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)

    return plan


def _succeeding(what: str, work: Callable[[], object], against: str, other: Callable[[], object], rounds: int) -> Iterator[Pair | str]:
    try:
        yield compare(what, work, against, other, rounds=rounds)
    except subprocess.CalledProcessError as error:
        yield f"{' '.join(error.cmd)} did not succeed: not compared: {str(error.stderr)[-300:]}"


def _not_compared() -> str:
    """Why nothing can be measured; empty: a complete sandbox runs here."""
    status = _genai("status", "--sandbox", "--json")
    if status is None:
        return _ABSENT
    waiting = [step["id"] for step in status["steps"] if step["state"] != "present"]
    return f"the sandbox is not complete ({', '.join(waiting[:3])}): not compared (run: genai up --sandbox)" if waiting else ""


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
    done = subprocess.run(_argv(*arguments), capture_output=True, text=True, check=False)
    document: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return document


def _argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "genai_platform", *arguments]
