"""``genai keys``: issue, list, show, rotate and revoke callers' keys. Never shows a value."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli import completion, preflight
from genai_platform.cli.command import callback, command
from genai_platform.cli.run import Run
from genai_platform.ui.voice import Voice

if TYPE_CHECKING:
    from genai_platform.steps.azure.callers.caller import Key

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Callers; none: all that are configured.", metavar="NAME", show_default=False, autocompletion=completion.callers),
]
Name = Annotated[
    str, typer.Argument(help="A caller's name, as in [azure.callers.NAME].", show_default=False, autocompletion=completion.callers)
]
Reinstate = Annotated[bool, typer.Option("--reinstate", help="Undo a revocation.")]
Secret = Annotated[bool, typer.Option("--secret", help="Rotate the application's client secret instead of the key.")]
Overlap = Annotated[float, typer.Option("--overlap-hours", help="With --secret: how long the old one still works.", min=0, max=8760)]
app = typer.Typer(name="keys", help="Keys of the callers. Without a subcommand: list.")


@callback(app, "genai keys")
@command(app, "list", "genai keys list --json")
def list_(run: Run) -> None:
    """Every configured caller and the state of its key."""
    from genai_platform.steps.azure.callers import keys

    preflight.azure(run.target.settings)
    _present(run, keys.listed(run.clients))


@command(app, "show", "genai keys show team-a")
def show(run: Run, name: Name) -> None:
    """One caller."""
    from genai_platform.steps.azure.callers import keys

    preflight.azure(run.target.settings)
    _present(run, [keys.show(run.clients, name)])


@command(app, "issue", "genai keys issue team-a")
def issue(run: Run, names: Names = None, reinstate: Reinstate = False) -> None:
    """Create whatever a caller lacks: identity, key, stored secret."""
    from genai_platform.steps.azure.callers import keys

    preflight.azure(run.target.settings)
    run.lock(run.target.folder, "genai keys issue")
    _present(run, keys.issue(run.clients, tuple(names or ()), reinstate=reinstate, progress=Voice(run.screen)))


@command(app, "rotate", "genai keys rotate team-a --secret --overlap-hours 48")
def rotate(run: Run, name: Name, secret: Secret = False, overlap_hours: Overlap = 24) -> None:
    """Give a caller a new key; the old one works until no gateway has it any more."""
    from genai_platform.steps.azure.callers import keys

    preflight.azure(run.target.settings)
    keys.known(run.clients, name)
    run.lock(run.target.folder, "genai keys rotate")
    if secret:
        changed = keys.rotate_secret(run.clients, name, overlap_hours=overlap_hours, progress=Voice(run.screen))
        old = f"old ones work until {changed.old_until}" if changed.old_until else "there was no other"
        run.screen.tell(f"{name}: new client secret, valid until {changed.expires}; {old}")
        run.screen.tell(f"read it with: genai azure env --caller {name}{run.flags}")
        _document(run, [keys.show(run.clients, name)], rotated={"secret_expires": changed.expires, "old_until": changed.old_until})
        return
    rotation = keys.rotate(run.clients, name, progress=Voice(run.screen))
    if rotation.old_alias:
        run.screen.tell(
            f"{name}: {rotation.key.alias} takes the place of {rotation.old_alias}, which works {rotation.overlap_seconds} s more"
        )
    _document(run, [rotation.key], rotated={"old": rotation.old_alias, "overlap_seconds": rotation.overlap_seconds})


@command(app, "revoke", "genai keys revoke team-a")
def revoke(run: Run, name: Name) -> int:
    """Revoke a caller at API Management and at LiteLLM, and report how long each still accepted it."""
    from genai_platform.steps.azure.callers import keys, revocation

    preflight.azure(run.target.settings)
    keys.known(run.clients, name)
    if not run.options.yes:
        run.screen.confirm(f"Revoke '{name}' of {run.screen.target}? Its programs stop working.")
    run.lock(run.target.folder, "genai keys revoke")
    entrances = revocation.open_entrances(run.clients, name)
    revoked = keys.revoke(run.clients, name, progress=Voice(run.screen))
    for line in revoked.closed:
        run.screen.say(f"{name}: {line}")
    measured = revocation.wait(entrances, Voice(run.screen))
    for entrance, seconds in measured.items():
        run.screen.tell(f"{name}: {entrance} " + (f"closed after {seconds:.1f} s" if seconds is not None else "is STILL OPEN"))
    if not measured:
        run.screen.tell(f"{name}: revoked; nothing to measure with, since neither key nor client secret is known here")
    _document(run, [revoked.key], closed_seconds=measured)
    return 1 if None in measured.values() else 0


def _present(run: Run, found: list[Key]) -> None:
    rows = []
    for key in found:
        state = f"{key.state}, budget spent" if key.spent else key.state
        rows.append((key.caller, key.client_id or "-", state, key.expires or "never", usd(key.spend, 4), usd(key.budget, 2)))
    if rows:
        run.screen.table(("caller", "client id", "state", "expires", "spend USD", "budget USD"), rows, title=run.screen.target)
    else:
        run.screen.tell("no caller is configured; add [azure.callers.NAME] to genai.toml")
    _document(run, found)


def usd(amount: float | None, places: int) -> str:
    """An amount with so many decimal places, and with more where a small one would not show."""
    if amount is None:
        return "-"
    if amount == 0 or amount >= 0.01:
        return f"{amount:.{places}f}"
    return f"{amount:.12f}".rstrip("0")


def _document(run: Run, found: list[Key], **more: Any) -> None:
    run.screen.document({"keys": [asdict(key) | {"spent": key.spent} for key in found], **more})
