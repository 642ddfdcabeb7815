"""``genai logs``: what the pods of workloads wrote, or are writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError, Invalid, NotFound, StepError

if TYPE_CHECKING:
    from genai_platform.tools.kubernetes.client import Document, Documents

Names = Annotated[
    list[str],
    typer.Argument(
        help="Workloads, e.g. litellm, langfuse-web, langfuse-worker, langfuse-clickhouse.",
        metavar="WORKLOAD",
        show_default=False,
        autocompletion=completion.workloads,
    ),
]
Tail = Annotated[int, typer.Option("--tail", help="How many lines of each pod.", min=1, max=100000)]
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C, new pods included. With --json: one JSON document a line.")
]
Previous = Annotated[bool, typer.Option("--previous", "-p", help="The run before a container's last restart.")]
app = typer.Typer()


@command(app, "logs", "genai logs litellm langfuse-web --follow")
def logs(run: Run, workloads: Names, tail: Tail = 50, follow: FollowOption = False, previous: Previous = False) -> None:
    """Show the last lines of workloads' pods, or follow them."""
    if follow and previous:
        raise ConfigError(
            "--follow and --previous: a run that is over writes nothing more", remedy="give one of the two", id="usage.follow_previous"
        )
    if follow:
        run.endless = True
        follow_logs(run, workloads, tail)
    else:
        show_logs(run, workloads, tail, previous)


def show_logs(run: Run, workloads: Sequence[str], tail: int, previous: bool) -> None:
    """The logs of every pod whose name begins with a workload's, with secrets hidden: they are pasted into tickets."""
    from genai_platform.config.target import NAMESPACE
    from genai_platform.tools.kubernetes import logs

    chosen, hide = _pods(run, workloads), _redactor(run)
    found, notes = {_name(pod): "" for pod in chosen}, {}
    for pod in chosen:
        name, container = _name(pod), logs.container_of(pod)
        if previous and not logs.has_previous(pod, container):
            notes[name] = f"no previous log: container '{container}' has not been restarted"
        else:
            try:
                found[name] = hide(logs.read(run.clients.kube, pod, NAMESPACE, tail=tail, previous=previous))
            except (Invalid, NotFound) as error:
                # It waits to start, the log of that run was removed, or the pod went away just now: in the API's words.
                notes[name] = error.message
        for line in found[name].splitlines():
            run.screen.tell(f"{name} | {line}" if len(chosen) > 1 else line)
        if name in notes:
            run.screen.note(f"{name}: {notes[name]}")
    run.screen.document({"logs": found, "notes": notes})


def follow_logs(run: Run, workloads: Sequence[str], tail: int) -> None:
    """The same, and every line that is written from now on. Ends with ``KeyboardInterrupt``, or an error."""
    from genai_platform.config.target import NAMESPACE
    from genai_platform.tools.kubernetes.logs import Follow

    screen = run.screen
    screen.lines = True
    pods, hide = _pods(run, workloads), _redactor(run)
    with Follow(run.clients.kube, NAMESPACE, lambda name: _belongs(name, workloads), pods, tail) as lines:
        for line in lines:
            # A line is hidden whole before any of it is shown.
            text = hide(line.text)
            if line.note:
                screen.note(f"{line.pod}: {text}" if line.pod else text)
                screen.document({"pod": line.pod, "note": text})
            elif screen.json:
                screen.document({"pod": line.pod, "time": line.time, "line": text})
            else:
                screen.tell(f"{line.pod} | {text}")


def _pods(run: Run, workloads: Sequence[str]) -> Documents:
    """The pods of the workloads, by name. Raises ``StepError`` for a workload that has none."""
    from genai_platform.config.target import NAMESPACE

    pods = sorted(run.clients.kube.list("v1", "Pod", NAMESPACE), key=_name)
    for workload in workloads:
        if not any(_belongs(_name(pod), (workload,)) for pod in pods):
            names = ", ".join(map(_name, pods)) or "none"
            raise StepError(f"no pod of '{workload}' in {NAMESPACE}", remedy=f"pods: {names}", id="logs.no_pod")
    return [pod for pod in pods if _belongs(_name(pod), workloads)]


def _belongs(name: str, workloads: Sequence[str]) -> bool:
    return any(name == workload or name.startswith(f"{workload}-") for workload in workloads)


def _name(pod: Document) -> str:
    return str(pod["metadata"]["name"])


def _redactor(run: Run) -> Callable[[str], str]:
    from genai_platform.tools.kubernetes.wait import redactor

    # While no secrets were made, only what looks like one is hidden.
    stored = run.clients.aws.platform_secrets()
    return redactor(stored.values() if stored else ())
