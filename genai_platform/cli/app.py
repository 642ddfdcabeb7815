"""The command line: every command and every group is one thin file, and help shows them in this order."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from genai_platform.cli import (
    audit,
    chat,
    config,
    cost,
    diagram,
    doctor,
    down,
    env,
    families,
    init,
    keys,
    kube_token,
    logs,
    open,
    outcome,
    plan,
    render,
    schedule,
    status,
    teardown,
    token,
    up,
    verify,
    version,
    worlds,
)

app = typer.Typer(
    name="genai",
    help="A GenAI platform that exists only while it is needed: up in the morning, verified, gone at night.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

for module in (
    up, verify, down, teardown, init, doctor, plan, status, diagram, audit, render, token, chat, open, logs, cost, version, kube_token,
    families, keys, env, schedule, config,
):  # fmt: skip
    app.add_typer(module.app)
worlds.add_to(app)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=version.show)] = False,
) -> None:
    """Options before any command."""


def main() -> None:
    """Entry point of ``genai``."""
    # The imports make hundreds of thousands of objects that all stay: looking through them at Python's default rate is a sixth
    # of a short command.
    gc.set_threshold(50_000)
    arguments = sys.argv[1:]
    try:
        code = app(arguments, standalone_mode=False, prog_name="genai")
    except Exception as error:
        code = outcome.outside_commands(error, arguments)
    except KeyboardInterrupt:
        code = 130
    # At its end the interpreter would look through them all once more: a fifth of a short command.
    gc.freeze()
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
