"""``genai doctor``: can I start?"""

from __future__ import annotations

from dataclasses import replace

import typer

from genai_platform.cli.advice import complete
from genai_platform.cli.command import command
from genai_platform.cli.run import Run


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "doctor")
    def doctor(run: Run) -> int:
        """Check what a start needs. Programs, configuration, credentials, ports."""
        from genai_platform.cli.doctor_lines import examine

        report = [replace(line, remedy=complete(line.remedy, run.flags)) for line in examine(run)]
        run.screen.table(["checked", "state", "what"], [[line.id, line.state, line.text] for line in report], title=run.screen.target)
        problems = [line for line in report if line.state == "fail"]
        for line in report:
            if line.state == "warn":
                run.screen.warn(f"{line.id}: {line.text}")
        for line in problems:
            run.screen.tell(f"{line.id}: {line.text}")
            run.screen.tell(f"  -> {line.remedy}")
        run.screen.tell("ready" if not problems else f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        run.screen.document(
            {
                "ok": not problems,
                "problems": [{"id": line.id, "problem": line.text, "remedy": line.remedy} for line in problems],
                "checked": [{"id": line.id, "state": line.state, "evidence": line.text} for line in report],
            }
        )
        return 3 if problems else 0
