"""``genai verify``: prove that the whole chain works."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.advice import typed
from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    from genai_platform.checks.check import Check, Result
    from genai_platform.ui.screen import Screen

Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Only checks whose id matches, e.g. 'litellm.*'. Repeatable.", metavar="GLOB", autocompletion=completion.checks
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write a JUnit XML report.", dir_okay=False)]
Html = Annotated[Path | None, typer.Option("--html", help="Write a self-contained HTML report.", dir_okay=False)]
Github = Annotated[
    bool,
    typer.Option(
        "--github",
        help="For GitHub Actions: annotate failed checks on standard output (with --json: standard error), "
        "and append a job summary to $GITHUB_STEP_SUMMARY.",
    ),
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failed check.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", help="Let no check look longer than this; 1 and more.", metavar="SECONDS", min=1, show_default=False),
]
app = typer.Typer()


@command(app, "verify", "genai verify --only 'litellm.*' --html report.html --github")
def verify(
    run: Run,
    only: Only = None,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    fail_fast: FailFast = False,
    timeout: Timeout = None,
) -> int:
    """Check the running platform end to end."""
    from genai_platform.checks.catalog import build
    from genai_platform.checks.runner import run as run_checks
    from genai_platform.cli import lifetime
    from genai_platform.steps.azure.inventory import Inventory
    from genai_platform.ui.checks import FollowChecks
    from genai_platform.ui.github import paused

    screen = run.screen
    checks = choose(build(run.clients, lambda: Inventory(run.clients)), only or ())
    screen.say(f"checking {screen.target}")
    lifetime.warn(run)
    started = time.monotonic()
    with paused(screen.tell) if github else nullcontext():
        with FollowChecks(screen, [check.id for check in checks]) as follow:
            found = run_checks(checks, follow.result, follow.status, fail_fast=fail_fast, limit=timeout)
            results = [replace(one, hint=typed(one.hint, run.flags)) for one in found]
        seconds = time.monotonic() - started
        follow.summary(results, seconds)
    passed = all(result.status != "fail" for result in results) and any(result.status == "pass" for result in results)
    if junit is not None:
        from genai_platform.ui.junit import write

        write(junit, run.target.environment, screen.target, results, seconds)
    if html is not None:
        _write_html(run, html, results, seconds)
    if github:
        _annotate(screen, results, seconds)
    screen.document(
        {
            "passed": passed,
            "seconds": round(seconds, 1),
            "checks": [asdict(result) | {"seconds": round(result.seconds, 1)} for result in results],
        }
    )
    return 0 if passed else 1


def _write_html(run: Run, path: Path, results: Sequence[Result], seconds: float) -> None:
    from genai_platform.cli.endpoints import endpoints
    from genai_platform.engine import timeline
    from genai_platform.engine.journal import read
    from genai_platform.render.addresses import protection
    from genai_platform.render.diagram import diagram
    from genai_platform.steps.catalog import standing
    from genai_platform.ui.html import Page, write_page

    ids = standing(run.graph, run.target.settings)
    states = run.look(ids)
    drawn = diagram(run.target, ids, {id: found.state.value for id, found in states.items()})
    last_up = timeline.last_up(read(run.journal), lambda id: run.graph.needs(id) if id in run.graph else ())
    note = protection(run.target.settings)
    write_page(path, Page(run.screen.target, run.target.prefix, drawn, states, endpoints(run), note, results, seconds, last_up))


def _annotate(screen: Screen, results: Sequence[Result], seconds: float) -> None:
    from genai_platform.ui.github import annotation_lines, summary

    for line in annotation_lines(results):
        screen.tell(line)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(screen.target, results, seconds))


def choose(checks: list[Check], only: Sequence[str]) -> list[Check]:
    """The checks whose id matches one of the patterns. Raises ``ConfigError`` for a pattern that matches none."""
    for pattern in only:
        if not any(_matches(check.id, pattern) for check in checks):
            raise ConfigError(
                f"--only {pattern}: no check matches", remedy=f"checks: {', '.join(check.id for check in checks)}", id="usage.unknown_check"
            )
    return [check for check in checks if not only or any(_matches(check.id, pattern) for pattern in only)]


def _matches(id: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(id, pattern) or id.startswith(f"{pattern}.")
