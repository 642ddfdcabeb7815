"""``genai logs``: the last lines of a workload's pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run

Name = Annotated[
    str, typer.Argument(help="A workload, e.g. litellm, langfuse-web, langfuse-worker, langfuse-clickhouse.", show_default=False)
]
Tail = Annotated[int, typer.Option("--tail", help="How many lines of each pod.", min=1, max=100000)]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "logs", "genai logs langfuse-web --tail 200")
    def logs(run: Run, workload: Name, tail: Tail = 50) -> int:
        """Show the last lines of a workload's pods."""
        return show_logs(run, workload, tail)


def show_logs(run: Run, workload: str, tail: int) -> int:
    """The logs of every pod whose name begins with the workload's, with secrets hidden: they are pasted into tickets."""
    from genai_platform.config.target import NAMESPACE
    from genai_platform.errors import StepError
    from genai_platform.tools.kubernetes.wait import redactor

    kube = run.clients.kube
    names = [str(pod["metadata"]["name"]) for pod in kube.list("v1", "Pod", NAMESPACE)]
    chosen = [name for name in names if name == workload or name.startswith(f"{workload}-")]
    if not chosen:
        raise StepError(f"no pod of '{workload}' in {NAMESPACE}", remedy=f"pods: {', '.join(sorted(names)) or 'none'}", id="logs.no_pod")
    hide = redactor(_secret_values(run))
    found = {}
    for name in chosen:
        found[name] = hide(kube.logs(name, NAMESPACE, tail=tail))
        run.screen.tell(f"== {name}")
        run.screen.tell(found[name].rstrip())
    run.screen.document({"logs": found})
    return 0


def _secret_values(run: Run) -> Iterator[str]:
    """What is known to be secret; nothing while no secrets were made, and then only what looks like one is hidden."""
    from genai_platform.tools.aws.client import reveal

    stored = run.clients.aws.platform_secrets()
    for value in reveal(stored).values() if stored else ():
        # The keys of models are a table of their own.
        yield from value.values() if isinstance(value, dict) else (value,)
