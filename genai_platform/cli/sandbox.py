"""``genai sandbox``: the world on this machine: its parts, a shell's variables, saving and restoring it, stopping it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.ui.voice import Voice

if TYPE_CHECKING:
    from genai_platform.sandbox.layout import SandboxLayout

File = Annotated[Path, typer.Argument(help="The file.", dir_okay=False, show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register the group. All its commands mean the sandbox, with or without --sandbox."""
    group = typer.Typer(help="The sandbox on this machine. It needs no cloud account.", rich_markup_mode=None, no_args_is_help=True)

    @command(group, "status")
    def status(run: Run) -> None:
        """List every part: real, stand-in or simulated, version, process, port."""
        layout = _layout(run)
        from genai_platform.sandbox import supervisor

        rows = supervisor.status(layout)
        tenant = str(layout.tenant.parent) if layout.tenant else None
        title = f"'{layout.environment}'" + (f", in the tenant of {tenant}" if tenant else "")
        table = [[row.name, row.kind, row.version, row.state, _text(row.pid), _text(row.port)] for row in rows]
        run.screen.table(["part", "kind", "version", "state", "process", "port"], table, title=title)
        run.screen.document(
            {
                "parts": [
                    {"name": row.name, "kind": row.kind, "version": row.version, "pid": row.pid, "port": row.port, "state": row.state}
                    for row in rows
                ],
                "tenant": tenant,
            }
        )

    @command(group, "env")
    def env(run: Run) -> None:
        """Print shell exports for aws, az, kubectl, helm, terraform and clients of OpenAI and Langfuse. They hold keys."""
        environment(run)

    @command(group, "tools")
    def tools(run: Run) -> None:
        """Fetch or build the programs a sandbox needs, so that the first `up` has them. Makes nothing else."""
        from genai_platform.cli.fetch_programs import provide
        from genai_platform.cli.worlds.sandbox import require_packages

        require_packages()
        provide(run.screen, sandbox=True)
        run.screen.tell("every program a sandbox needs is here")
        run.screen.document({"ok": True})

    @command(group, "save")
    def save(run: Run, file: File) -> None:
        """Save the whole sandbox into a file. It is stopped meanwhile."""
        layout = _layout(run)
        from genai_platform.sandbox.save import save as write

        _lock(run, "save")
        written = write(layout, run.project / ".genai" / layout.environment, file.absolute(), Voice(run.screen))
        run.screen.tell(f"saved '{layout.environment}' in {written}")
        run.screen.document({"ok": True, "file": str(written)})

    @command(group, "restore")
    def restore(run: Run, file: File) -> None:
        """Make the sandbox again that was saved into a file, under the name it had, and start it."""
        from genai_platform.cli.fetch_programs import provide
        from genai_platform.cli.paths import state_folder, world_folder
        from genai_platform.cli.worlds.sandbox import require_packages

        require_packages()
        from genai_platform.sandbox.save import restore as read

        environment = _environment(run)
        folder = state_folder(run.project, environment)
        _lock(run, "restore")
        provide(run.screen, sandbox=True)
        layout = read(file.absolute(), world_folder(run.project, environment), folder, Voice(run.screen))
        run.screen.tell(f"restored '{layout.environment}'; it runs")
        run.screen.document({"ok": True, "restored": layout.environment})

    @command(group, "stop")
    def stop(run: Run) -> None:
        """Stop every process. Everything stays on disk, and `genai up --sandbox` goes on with it."""
        layout = _layout(run)
        from genai_platform.sandbox import supervisor

        _lock(run, "stop")
        stopped = supervisor.stop(layout)
        run.screen.tell(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
        run.screen.document({"ok": True, "stopped": stopped})

    @command(group, "remove")
    def remove(run: Run) -> None:
        """Stop it and delete its folder, whatever state it is in."""
        from genai_platform.cli.worlds import sandbox as sandboxes

        layout = sandboxes.place_to_remove(run.project, _environment(run))
        if not run.options.yes:
            run.screen.confirm(f"Delete the sandbox '{layout.environment}' with all its data?")
        _lock(run, "remove")
        sandboxes.remove(run.project, layout.environment)
        run.screen.tell(f"removed '{layout.environment}'")
        run.screen.document({"ok": True, "removed": layout.environment})

    app.add_typer(group, name="sandbox")


def environment(run: Run) -> None:
    """The exports themselves go to standard output, so that ``eval`` can read them."""
    from genai_platform.cli.worlds.sandbox import place_target

    layout = _layout(run)
    from genai_platform.sandbox.shell_exports import exports, variables

    found = variables(layout, place_target(run.options, layout))
    if run.screen.json:
        run.screen.document({"variables": found})
    else:
        print(exports(found), end="", flush=True)


def _environment(run: Run) -> str:
    from dataclasses import replace

    name = replace(run.options, sandbox=True).environment
    run.screen.environment = name
    return name


def _layout(run: Run) -> SandboxLayout:
    from genai_platform.cli.worlds.sandbox import open_place

    return open_place(run.project, _environment(run))


def _lock(run: Run, what: str) -> None:
    from genai_platform.cli.paths import state_folder

    run.lock(state_folder(run.project, _environment(run)), f"genai sandbox {what}")


def _text(value: object) -> str:
    return "-" if value is None else str(value)
