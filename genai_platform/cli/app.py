"""The command line: every command group is one thin file that is read when it is registered here."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="genai",
    help="A GenAI platform that exists only while it is needed: up in the morning, verified, gone at night.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def register() -> None:
    """Add all commands, in the order that help shows them."""
    from genai_platform.cli import commands

    commands.add_to(app)


def main() -> None:
    """Entry point of ``genai``."""
    register()
    arguments = sys.argv[1:]
    try:
        code = app(arguments, standalone_mode=False, prog_name="genai")
    except Exception as error:
        from genai_platform.cli.usage import told

        code = told(error, arguments)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
