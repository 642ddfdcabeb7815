"""Which commands there are, in the order that help shows them."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    """Register every command group."""
    if app.registered_commands:
        return
    from genai_platform.cli import (
        audit,
        chat,
        config,
        cost,
        doctor,
        down,
        families,
        init,
        keys,
        kube_token,
        look,
        plan,
        render,
        sandbox,
        status,
        teardown,
        token,
        up,
        verify,
        version,
    )

    for group in (
        up,
        verify,
        down,
        families,
        teardown,
        init,
        doctor,
        plan,
        status,
        audit,
        render,
        keys,
        token,
        chat,
        look,
        cost,
        config,
        sandbox,
        version,
        kube_token,
    ):
        group.add_to(app)
