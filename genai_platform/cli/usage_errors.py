"""What goes wrong outside any command: the parser's refusals as one error line with exit code 2, and faults of this program."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from genai_platform.cli.options import Options
from genai_platform.errors import ConfigError, GenaiError, Interrupted, unexpected
from genai_platform.ui.screen import Screen


def told(error: Exception, arguments: Sequence[str]) -> int:
    """Show an error that no command caught, and give its exit code."""
    kind = type(error).__name__
    formatted = getattr(error, "format_message", None)
    if kind == "NoArgsIsHelpError" and formatted is not None:
        print(formatted())
        return 2
    screen = Screen(json="--json" in arguments)
    screen.environment = _environment(arguments)
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


def _environment(arguments: Sequence[str]) -> str:
    """The environment as far as it can be told from arguments that could not be parsed."""
    name = next((after for option, after in pairwise(arguments) if option == "--env"), None)
    name = name or next((text.removeprefix("--env=") for text in arguments if text.startswith("--env=")), None)
    try:
        return Options(env=name, sandbox="--sandbox" in arguments).environment
    except ConfigError:
        return name or "default"
