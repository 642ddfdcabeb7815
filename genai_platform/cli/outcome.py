"""The one place where errors become exit codes and words.

0 done; 1 a check or step failed, was declined, or leftovers exist; 2 wrong usage or configuration; 3 something needed is
missing; 130 interrupted. Tracebacks are for unexpected errors with ``--verbose`` only, and never show local variables.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

import typer

from genai_platform.advice import typed
from genai_platform.cli.options import Options
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError, GenaiError, Interrupted, unexpected
from genai_platform.ui.screen import Screen


def finish(options: Options, work: Callable[[Run], int | None]) -> None:
    """Do a command's work and leave with its exit code."""
    screen = Screen(json=options.json, plain=options.plain, quiet=options.quiet, verbose=options.verbose)
    run, code = Run(options, screen), 0
    try:
        with run:
            code = work(run) or 0
    except GenaiError as error:
        error.remedy = typed(error.remedy, options.flags)
        screen.error(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        from genai_platform.tools import process

        # The first Ctrl-C lets programs finish cleanly; this is a second one, or no such program runs.
        process.kill_all()
        interrupted = Interrupted()
        # `kubectl logs -f` says nothing either, and its shell sees 130.
        if not run.endless:
            screen.error(interrupted)
        code = interrupted.exit_code
    except BrokenPipeError:
        # The reader went away; do not complain again when the interpreter flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except typer.Exit:
        raise
    except Exception as error:
        screen.error(unexpected(error))
        screen.detail("".join(traceback.format_exception(error)))
        code = 1
    if code:
        raise typer.Exit(code)


def outside_commands(error: Exception, arguments: Sequence[str]) -> int:
    """Show an error that no command caught, a refusal of the parser for example, and give its exit code."""
    kind = type(error).__name__
    formatted = getattr(error, "format_message", None)
    if kind == "NoArgsIsHelpError" and formatted is not None:
        print(formatted())
        return 2
    options = Options.guessed(arguments)
    screen = Screen(json=options.json)
    screen.environment = options.env or screen.environment
    with suppress(ConfigError):
        screen.environment = options.environment
    fault: GenaiError
    if kind == "Abort":
        fault = Interrupted()
    elif formatted is None:
        fault = unexpected(error)
    else:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "genai"
        message = str(formatted())
        fault = ConfigError(message[:1].lower() + message[1:], remedy=f"see: {path} --help", id="usage")
    screen.error(fault)
    return fault.exit_code
