"""Wrong usage: what the parser refuses, as one error line with exit code 2."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from genai_platform.errors import ConfigError


def told(error: Exception, arguments: Sequence[str]) -> int:
    """Show an error of the command-line parser and give its exit code; anything else is raised again."""
    formatted = getattr(error, "format_message", None)
    if formatted is None:
        if type(error).__name__ == "Abort":
            return 130
        raise error
    if type(error).__name__ == "NoArgsIsHelpError":
        print(formatted())
        return 2
    from genai_platform.ui.screen import Screen

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "genai"
    screen = Screen(json="--json" in arguments)
    screen.environment = _environment(arguments)
    message = str(formatted())
    screen.error(ConfigError(message[:1].lower() + message[1:], remedy=f"see: {path} --help", id="usage"))
    return 2


def _environment(arguments: Sequence[str]) -> str:
    """The environment as far as it can be told from arguments that could not be parsed."""
    name = next((after for option, after in pairwise(arguments) if option == "--env"), None)
    if "--sandbox" in arguments:
        return f"sandbox-{name}" if name else "sandbox"
    return name or "default"
