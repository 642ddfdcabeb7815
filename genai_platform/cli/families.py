"""``genai infra``, ``litellm``, ``langfuse``, ``patch``, ``azure``: one family of steps. Bare means apply."""

from __future__ import annotations

from typing import Annotated

import typer

from genai_platform.cli import completion, preflight, token
from genai_platform.cli.command import callback, command
from genai_platform.cli.plan import ExitCode as PlanExitCode
from genai_platform.cli.run import Run
from genai_platform.cli.status import ExitCode as StatusExitCode

FAMILIES = {
    "infra": "What is built in AWS: network, cluster, databases, storage.",
    "litellm": "LiteLLM: configuration, database, proxy, ingress.",
    "langfuse": "Langfuse: configuration, database, chart, ingress.",
    "patch": "Post-install work: roles, ClickHouse's S3 disk.",
    "azure": "API Management, Entra applications, Key Vault.",
}
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only this step of the family. Repeatable.", metavar="STEP", autocompletion=completion.steps),
]
Skip = Annotated[
    list[str] | None, typer.Option("--skip", help="Not this step. Repeatable.", metavar="STEP", autocompletion=completion.steps)
]
app = typer.Typer()


def _add(family: str, text: str) -> None:
    group = typer.Typer(name=family, help=f"{text} Without a subcommand: apply.")

    @callback(group, f"genai {family}")
    def apply(run: Run, only: Only = None, skip: Skip = None) -> int:
        from genai_platform.cli.up import build

        return build(run, family, _within(family, only) or [family], skip or ())

    @command(group, "plan", f"genai {family} plan --exit-code")
    def plan(run: Run, only: Only = None, exit_code: PlanExitCode = False) -> int:
        """Show what would change."""
        from genai_platform.cli.plan import show

        return 1 if show(run, _within(family, only) or [family], ()) and exit_code else 0

    @command(group, "show", f"genai {family} show")
    def show(run: Run, exit_code: StatusExitCode = False) -> int:
        """Show what is there."""
        from genai_platform.cli.status import show

        preflight.names(run, (family,), ())
        return 1 if not show(run, only=(family,)) and exit_code else 0

    @command(group, "remove", f"genai {family} remove")
    def remove(run: Run) -> int | None:
        """Remove the family and what depends on it."""
        from genai_platform.cli.teardown import teardown

        return teardown(run, [family])

    if family == "azure":
        command(group, "env", 'eval "$(genai azure env --caller team-a)"')(token.env)
    app.add_typer(group)


def _within(family: str, names: list[str] | None) -> list[str]:
    """``network`` and ``infra.network`` mean the same in the family ``infra``."""
    return [name if name == family or name.startswith(f"{family}.") else f"{family}.{name}" for name in names or ()]


for family, text in FAMILIES.items():
    _add(family, text)
