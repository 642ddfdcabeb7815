"""The example in each command's help: it is there, it is of that command, and its options are the command's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from genai_platform.cli.app import app


def commands(command: Any, path: str = "genai") -> Iterator[tuple[str, Any]]:
    """Every command that a person sees, with the words that call it; a group only where it does something by itself."""
    children = getattr(command, "commands", {})
    if not children or (path != "genai" and command.invoke_without_command):
        yield path, command
    for name, child in children.items():
        if not child.hidden:
            yield from commands(child, f"{path} {name}")


ALL = dict(commands(typer.main.get_command(app)))


def test_there_are_commands() -> None:
    assert {"genai up", "genai keys", "genai keys rotate", "genai sandbox save", "genai azure env"} <= set(ALL)


@pytest.mark.parametrize("path", ALL)
def test_the_help_of_each_command_has_an_example_that_can_be_typed(path: str) -> None:
    command = ALL[path]
    help = command.get_help(typer.Context(command, info_name=path))
    examples = re.findall(r"^ *Example: (.*)$", help, re.MULTILINE)
    assert examples
    for example in examples:
        line = re.sub(r'^eval "\$\((.*)\)"$', r"\1", example)
        assert f"{line} ".startswith(f"{path} ")
        # Raises what a person would be told of an option or an argument that the command does not have.
        command.make_context(path, shlex.split(line.removeprefix(path)), resilient_parsing=False)
