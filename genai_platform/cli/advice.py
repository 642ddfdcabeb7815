"""Advice as it must be typed here: commands in it get the options that choose the world."""

from __future__ import annotations

import re

_COMMAND = re.compile(
    r"\bgenai (?:"
    r"(?:infra|litellm|langfuse|patch|azure)(?: (?:plan|show|remove|env))?"
    r"|keys(?: (?:issue|rotate|revoke|show|list)(?: [a-z0-9][a-z0-9-]*)?)?"
    r"|(?:logs|teardown) [a-z0-9][a-z0-9.-]*"
    r"|sandbox (?:status|env|stop|remove)|config show"
    r"|up|down|verify|status|plan|doctor|audit|render"
    r")(?: --(?:only|skip|caller) [\w.*-]*\w| --(?:keep-data|reinstate))*(?![\w-])"
)
_CHOSEN = re.compile(r" --(?:sandbox|env|set)\b")


def complete(text: str, flags: str) -> str:
    """The text with ``flags`` after each of our commands that does not say itself where it works.

    Args:
        flags: as ``Options.flags`` gives them, with a leading blank.
    """
    return _COMMAND.sub(lambda found: found[0] if _CHOSEN.match(text, found.end()) else found[0] + flags, text)
