"""One subject a file, and functions that can be called without counting: sizes that a newcomer can read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "genai_platform").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
LINES, PARAMETERS = 400, 7


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many a caller has to know of: ``self`` and ``cls`` are not among them."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]
    return len(names) + (given.vararg is not None) + (given.kwarg is not None)


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A Typer command has a parameter for each option."""
    return any("command(" in ast.unparse(one) or "callback(" in ast.unparse(one) for one in function.decorator_list)


def too_many(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > PARAMETERS and not is_command(node):
            yield node.name


def test_no_file_is_too_long() -> None:
    found = {str(file.relative_to(ROOT)) for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) >= LINES}
    assert found == set()


def test_no_function_has_too_many_parameters() -> None:
    found = {f"{file.relative_to(ROOT)} {name}" for file in FILES for name in too_many(file.read_text(encoding="utf-8"))}
    assert found == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a, b, c, d, e, f, g): ...", []),
        ("def f(a, b, c, d, e, f, g, h): ...", ["f"]),
        ("def f(a, /, b, *c, d, e, f, g, **h): ...", ["f"]),
        ("async def f(self, a, b, c, d, e, f, *, g): ...", []),
        ("@command(app, 'init')\ndef f(a, b, c, d, e, f, g, h): ...", []),
    ],
)
def test_parameters_are_counted_as_a_caller_does(text: str, found: list[str]) -> None:
    assert list(too_many(text)) == found
