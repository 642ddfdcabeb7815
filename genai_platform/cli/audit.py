"""``genai audit``: what is left in the account that nothing owns."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError
from genai_platform.ui.screen import Screen

if TYPE_CHECKING:
    from genai_platform.audit.leftovers import Audit

All = Annotated[bool, typer.Option("--all", help="List every environment in the account and the subscription: age, owner, end, cost.")]
Regions = Annotated[
    list[str] | None, typer.Option("--region", help="With --all: only this AWS region. Repeatable. Default: every one.", metavar="REGION")
]
WithAzure = Annotated[bool, typer.Option("--azure/--no-azure", help="With --all: Azure, too.")]
app = typer.Typer()


@command(app, "audit", "genai audit --json")
def audit(run: Run, everything: All = False, region: Regions = None, azure: WithAzure = True) -> int:
    """Look for anything left in the account; with --all for every environment in it, no matter who made it."""
    if everything:
        from genai_platform.cli import audit_all

        return audit_all.show(run, region or (), azure)
    if region or not azure:
        raise ConfigError("--region and --no-azure say where --all looks", remedy="add --all", id="usage")
    run.enter()
    found = look(run)
    show(run.screen, found)
    if clean(found):
        run.screen.tell(f"nothing left of {run.screen.target} that `genai down` does not know of")
    run.screen.document(document(found))
    return 0 if clean(found) else 1


def look(run: Run) -> Audit:
    """Search by tag, by cluster name, by network and by name."""
    from genai_platform.audit.leftovers import audit

    run.screen.say(f"looking for anything left of {run.screen.target}")
    return audit(run.clients)


def show(screen: Screen, audit: Audit) -> None:
    """Survivors with their cost and the command that removes each."""
    from genai_platform.ui.text import dollars

    if audit.leftovers:
        rows = [[item.kind, item.id, dollars(item.usd_per_hour), item.remove] for item in audit.leftovers]
        screen.table(["kind", "id", "cost", "remove with"], rows, title=f"{len(rows)} left of {screen.target}:")
    for line in audit.retained:
        screen.tell(f"retained: {line}")
    for line in audit.unseen:
        screen.tell(f"not seen: {line}")


def clean(audit: Audit) -> bool:
    """Whether nothing is left, and all of it was seen: what could not be looked at proves nothing."""
    return not audit.leftovers and not audit.unseen


def document(audit: Audit) -> dict[str, Any]:
    """``leftovers`` and ``retained``."""
    return {
        "leftovers": [asdict(item) for item in audit.leftovers],
        "retained": list(audit.retained),
        "unseen": list(audit.unseen),
    }
