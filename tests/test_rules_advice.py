"""Advice names this program's commands as values (``genai_platform/advice.py``), and only commands that exist."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from genai_platform.cli.app import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "genai_platform"
FILES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "advice.py"})
_WITHOUT_ENVIRONMENT = {"init", "version"}
"""These work on none, so the options that choose one are not printed after them."""
_SHOWN = {"command", "callback", "tell", "say", "warn", "lock", "execute", "credentials"}
"""Calls whose text is the example of a command's help, is shown as it is, or names the command that runs."""
_ADVICE = {"advice", "genai", "run_genai", "Command", "Advice"}
_POSITIONS = {"failed": 1, "Outcome": 2, "Observation": 2, "Line": 3, "StepResult": 4, "Result": 4}
"""Where these have the remedy among their arguments."""
_OTHER_TEXT = {
    "checks/azure_refuses.py", "cli/doctor/__init__.py", "cli/version.py", "config/wizard_file.py", "render/chart.py", "render/diagram.py",
    "steps/azure/callers/client_secrets.py", "steps/azure/resource_providers.py", "steps/azure/rights.py",
    "steps/langfuse/chart.py", "steps/langfuse/traces.py", "ui/github.py", "ui/junit.py",
}  # fmt: skip
"""Files with evidence, notices or names that mention the program: here only remedies are looked at."""


def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command, with the words that call it; a group only where it does something by itself."""
    children = getattr(command, "commands", {})
    if not children or (path and command.invoke_without_command):
        yield path, command
    for name, child in children.items():
        yield from leaves(child, f"{path} {name}".strip())


COMMANDS = dict(leaves(typer.main.get_command(app)))
_NAMED = re.compile(rf"\bgenai (?:(?:{'|'.join(sorted(COMMANDS.keys() - _WITHOUT_ENVIRONMENT))})\b(?! --sandbox)|$)")


def called(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
        case _:
            return ""


def texts(node: ast.AST) -> Iterator[ast.expr]:
    """The texts in an expression or a file, without its docstrings and without what has a place of its own."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Constant(value=str()):
            yield node
        case ast.JoinedStr():
            # The flags of the run are in it already, or it says itself where it works.
            if ".flags}" not in (source := ast.unparse(node)) and " --sandbox" not in source:
                yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from texts(part.value)
        case ast.Call() if called(node) in _SHOWN | _ADVICE:
            return
        case _:
            for part in ast.iter_child_nodes(node):
                yield from texts(part)


def names_a_command(text: ast.expr) -> bool:
    match text:
        case ast.Constant(value=str(words)):
            return _NAMED.search(words) is not None and not words.endswith("genai ")
        case ast.JoinedStr(values=parts):
            return any(_NAMED.search(part.value) for part in parts if isinstance(part, ast.Constant))
        case _:
            return False


def remedies(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given as a remedy or a hint, directly or through a name."""
    given: list[ast.expr] = []
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="remedy" | "hint", value=value):
                given.append(value)
            case ast.Call(args=arguments) if called(node) in _POSITIONS:
                given += arguments[_POSITIONS[called(node)] :]
            case _:
                continue
    names = {part.id for value in given for part in ast.walk(value) if isinstance(part, ast.Name)} | {"remedy", "hint"}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                given += [value] if name in names else []
            case _:
                continue
    yield from given


def in_prose(tree: ast.AST, *, only_remedies: bool = False) -> Iterator[int]:
    """Lines with a command in plain text that somebody may be told to run."""
    for root in remedies(tree) if only_remedies else [tree]:
        yield from (text.lineno for text in texts(root) if names_a_command(text))


def flattened(tree: ast.AST) -> Iterator[int]:
    """Lines that put advice into a text, where its commands can get no options any more."""
    constants = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and called(node.value) in _ADVICE | {"joined"}
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.FormattedValue(value=ast.Attribute(attr="remedy" | "hint")):
                yield node.lineno
            case ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
                yield node.lineno
            case ast.FormattedValue(value=value) if called(value) in _ADVICE | {"joined"}:
                yield node.lineno
            case _:
                continue


def words_of(node: ast.Call) -> str:
    """The words of ``genai(…)`` with something in the place of what is not known before; empty where that is the command itself."""
    match node.args[0]:
        case ast.Constant(value=str(words)):
            return words
        case ast.JoinedStr(values=[ast.Constant(), *_] as parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
        case _:
            return ""


@functools.cache
def trees() -> dict[str, ast.Module]:
    """The package's files, parsed: not while tests are collected, which every worker does."""
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Where advice is made."""
    for file, tree in trees().items():
        yield from ((f"{file}:{node.lineno}", node) for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in _ADVICE)


def test_a_command_in_advice_is_a_value() -> None:
    found = [f"{file}:{line}" for file, tree in trees().items() for line in in_prose(tree, only_remedies=file in _OTHER_TEXT)]
    assert found == [], 'write advice("see why: {}", genai("logs litellm")): it is printed with the options of the run'
    assert all(any(in_prose(trees()[file])) for file in _OTHER_TEXT), "a file that needs no exception any more"


def test_advice_does_not_become_text_before_it_is_printed() -> None:
    printing = ("cli/", "ui/")
    found = [f"{file}:{line}" for file, tree in trees().items() if not file.startswith(printing) for line in flattened(tree)]
    assert found == [], "join advice with advice(…) or joined(…)"


def test_each_command_in_advice_exists_with_its_options() -> None:
    lines = [(place, words_of(node)) for place, node in calls() if called(node) in ("genai", "run_genai")]
    assert len(lines) > 50
    for place, words in lines:
        if words:
            name = max((name for name in COMMANDS if f"{words} ".startswith(f"{name} ")), key=len, default="")
            assert name, f"{place}: no command '{words}'"
            # Raises what a person would be told of an option that the command does not have.
            COMMANDS[name].make_context(name, shlex.split(words.removeprefix(name)), resilient_parsing="--" not in words)


def test_each_advice_has_a_value_for_each_place() -> None:
    for place, node in calls():
        if called(node) == "advice":
            text = node.args[0]
            assert isinstance(text, ast.Constant), f"{place}: braces in a value would be taken for a place; give it as a value"
            fields = [field for _, field, _, _ in string.Formatter().parse(text.value) if field is not None]
            assert (set(fields), len(fields)) == ({""}, len(node.args) - 1), place


@pytest.mark.parametrize(
    "text",
    [
        'raise StepError("m", remedy="run: genai patch")',
        'raise StepError("m", remedy=f"run: genai keys issue {name}")',
        'raise StepError("m", remedy=f"run: genai {family}")',
        'raise StepError("m", remedy="a; or: genai down --keep-data" if x else "b")',
        '_FIX = "run: genai sandbox remove"\nraise StepError("m", remedy=_FIX)',
        '_FIX: dict[int, Remedy] = {1: "`genai config show` lists them"}\nraise StepError("m", remedy=_FIX[1])',
        'hint = f"{why}; {\'run: genai up\'}"\nreturn failed("m", hint)',
        'failed("m", "see: genai status")',
        'Line("a", "fail", "m", "see: genai status")',
        'Observation(State.UNKNOWN, "m", "see: genai status")',
        'error.said(remedy=joined("a", "genai azure --only access"))',
    ],
)
def test_the_rule_sees_each_way_to_write_one_as_text(text: str) -> None:
    tree = ast.parse(text)
    assert list(in_prose(tree))
    assert list(in_prose(tree, only_remedies=True))


@pytest.mark.parametrize(
    "text",
    [
        '"""``x``: what genai patch does."""',
        '@command(app, "up", "genai up --only infra")\ndef up(): ...',
        'screen.tell(f"next: genai verify{run.flags}")',
        'shown = f"genai down{more}{run.flags}"',
        'raise StepError("m", remedy=f"genai up --sandbox{flag}")',
        'raise StepError("m", remedy=advice("run: {}", genai("patch")))',
        'raise StepError("m", remedy="edit genai.toml, or run: genai init")',
        'name = "genai sandbox"',
    ],
)
def test_the_rule_lets_pass_what_is_not_advice_or_needs_no_options(text: str) -> None:
    assert not list(in_prose(ast.parse(text)))


@pytest.mark.parametrize("text", ['f"{error.remedy}; more"', '_FIX = run_genai("patch")\nf"a; {_FIX}"', "f\"a {genai('up')}\""])
def test_the_rule_sees_advice_that_becomes_text(text: str) -> None:
    assert list(flattened(ast.parse(text)))
