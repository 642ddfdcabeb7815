"""``genai sandbox``: the world on this machine: its parts, a shell's variables, saving and restoring it, stopping it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import sandboxes
from genai_platform.ui.voice import Voice

if TYPE_CHECKING:
    from genai_platform.cli.worlds.sandbox import Sandbox

File = Annotated[Path, typer.Argument(help="The file.", dir_okay=False, show_default=False)]
app = typer.Typer(name="sandbox", help="The sandbox on this machine. It needs no cloud account.", no_args_is_help=True)


@command(app, "status", "genai sandbox status")
def status(run: Run) -> None:
    """List every part: real, stand-in or simulated, version, process, port."""
    layout = _world(run).layout()
    from genai_platform.sandbox import supervisor

    rows = supervisor.status(layout)
    tenant = str(layout.tenant.parent) if layout.tenant else None
    title = f"'{layout.environment}'" + (f", in the tenant of {tenant}" if tenant else "")
    table = [[row.name, row.kind, row.version, row.state, _text(row.pid), _text(row.port)] for row in rows]
    run.screen.table(["part", "kind", "version", "state", "process", "port"], table, title=title)
    run.screen.document({"parts": [asdict(row) for row in rows], "tenant": tenant})


@command(app, "env", 'eval "$(genai sandbox env)"')
def env(run: Run) -> None:
    """Print shell exports for aws, az, kubectl, helm, terraform and clients of OpenAI and Langfuse. They hold keys."""
    _world(run).exports(run)


@command(app, "tools", "genai sandbox tools")
def tools(run: Run) -> None:
    """Fetch or build the programs a sandbox needs, so that the first `up` has them. Makes nothing else."""
    sandboxes.require_packages()
    _world(run).provide()
    run.screen.tell("every program a sandbox needs is here")
    run.screen.document({"ok": True})


@command(app, "save", "genai sandbox save monday.tar")
def save(run: Run, file: File) -> None:
    """Save the whole sandbox into a file. It is stopped meanwhile."""
    layout = _world(run).layout()
    from genai_platform.sandbox.save import save as write

    folder = _lock(run, "save")
    written = write(layout, folder, file.absolute(), Voice(run.screen))
    run.screen.tell(f"saved '{layout.environment}' in {written}")
    run.screen.document({"ok": True, "file": str(written)})


@command(app, "restore", "genai sandbox restore monday.tar")
def restore(run: Run, file: File) -> None:
    """Make the sandbox again that was saved into a file, under the name it had, and start it."""
    sandboxes.require_packages()
    from genai_platform.sandbox.save import restore as read

    world = _world(run)
    folder = _lock(run, "restore")
    world.provide()
    layout = read(file.absolute(), sandboxes.folder(world.project, world.environment), folder, Voice(run.screen))
    run.screen.tell(f"restored '{layout.environment}'; its pods are starting")
    run.screen.document({"ok": True, "restored": layout.environment})


@command(app, "stop", "genai sandbox stop")
def stop(run: Run) -> None:
    """Stop every process. Everything stays on disk, and `genai up --sandbox` goes on with it."""
    layout = _world(run).layout()
    from genai_platform.sandbox import supervisor

    _lock(run, "stop")
    stopped = supervisor.stop(layout)
    run.screen.tell(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    run.screen.document({"ok": True, "stopped": stopped})


@command(app, "remove", "genai sandbox remove --yes")
def remove(run: Run) -> None:
    """Stop it and delete its folder, whatever state it is in."""
    layout = sandboxes.layout_to_remove(run.project, _world(run).environment)
    if not run.options.yes:
        run.screen.confirm(f"Delete the sandbox '{layout.environment}' with all its data?")
    _lock(run, "remove")
    sandboxes.remove(run.project, layout.environment)
    run.screen.tell(f"removed '{layout.environment}'")
    run.screen.document({"ok": True, "removed": layout.environment})


def _world(run: Run) -> Sandbox:
    from genai_platform.cli.worlds.sandbox import Sandbox

    world = Sandbox(replace(run.options, sandbox=True), run.screen)
    run.screen.environment = world.environment
    return world


def _lock(run: Run, what: str) -> Path:
    """Hold the sandbox's lock. Returns its folder."""
    from genai_platform.cli.paths import state_folder

    folder = state_folder(run.project, _world(run).environment)
    run.lock(folder, f"genai sandbox {what}")
    return folder


def _text(value: object) -> str:
    return "-" if value is None else str(value)
