"""Rules that every file of the package keeps, read from the syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = sorted(path for path in (ROOT / "genai_platform").rglob("*.py") if "sandbox" not in path.relative_to(ROOT).parts)
EVERYTHING = sorted((*(ROOT / "genai_platform").rglob("*.py"), *(ROOT / "tests").rglob("*.py")))
_CHANGES = {"clear", "pop", "popitem", "setdefault", "update", "__setitem__"}
_READS = {"startswith", "endswith", "find", "index", "count", "partition", "rpartition", "split", "splitlines", "removeprefix"}
_PATTERNS = {"search", "match", "fullmatch", "findall", "finditer", "split"}


def kinds(trees: dict[Path, ast.Module]) -> set[str]:
    """The names of all kinds of errors that the package defines."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"GenaiError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def text_of(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression has the words or the identifier of one of these errors in it."""
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=name), attr="id" | "message" | "args") if name in names:
                return True
            case ast.Call(func=ast.Name(id="str" | "repr"), args=[ast.Name(id=name)]) if name in names:
                return True
            case ast.FormattedValue(value=ast.Name(id=name)) if name in names:
                return True
            case _:
                continue
    return False


def reads(body: ast.AST, names: set[str]) -> Iterator[int]:
    """The lines that decide something by what these errors say."""
    said = set(names)
    for node in ast.walk(body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if text_of(value, names):
                said.add(name)
            case _:
                continue
    own = said - names

    def told(node: ast.AST) -> bool:
        return text_of(node, names) or any(isinstance(part, ast.Name) and part.id in own for part in ast.walk(node))

    for node in ast.walk(body):
        match node:
            case ast.Compare() if told(node):
                yield node.lineno
            case ast.Subscript(slice=inside) if text_of(inside, names):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _READS and told(value):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr=method), args=[*arguments]) if method in _PATTERNS and any(map(told, arguments)):
                yield node.lineno
            case ast.Match(subject=subject) if told(subject):
                yield node.lineno
            case _:
                continue


def branches(path: Path, tree: ast.Module, known: set[str]) -> Iterator[int]:
    """Lines of a file that branch on an error's identifier or words.

    The clients in ``tools/`` read what other people's libraries raise, once; nobody reads what this package raises.
    """
    edge = "tools" in path.relative_to(ROOT).parts
    constants = {
        target.id: {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
            caught = {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)}
            caught |= {name for one in caught for name in constants.get(one, ())}
            if not edge or caught & known:
                yield from reads(ast.Module(node.body, []), {node.name})
        elif isinstance(node, ast.FunctionDef):
            given = {
                argument.arg
                for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                if argument.annotation is not None
                and known & {part.id for part in ast.walk(argument.annotation) if isinstance(part, ast.Name)}
            }
            if given:
                yield from reads(node, given)


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in EVERYTHING}


def test_nothing_branches_on_the_identifier_or_the_words_of_an_error(trees: dict[Path, ast.Module]) -> None:
    known = kinds(trees)
    assert {"StepError", "Forbidden", "MissingError"} <= known
    found = [f"{path.relative_to(ROOT)}:{line}" for path in PRODUCT for line in branches(path, trees[path], known)]
    assert found == [], "catch the error's class instead, or compare its error_code"


@pytest.mark.parametrize(
    "text",
    [
        'if error.id == "a.b":\n            raise',
        'if error.id in ("a", "b"):\n            raise',
        'if "words" not in error.message.lower():\n            raise',
        'if "words" in str(error):\n            raise',
        'if error.message.startswith("words"):\n            raise',
        'if re.search("words", error.message):\n            raise',
        'told = error.message\n        if "words" in told:\n            raise',
        "say(WORDS[error.id])",
    ],
)
@pytest.mark.parametrize("place", ["steps/azure/vault.py", "tools/azure/entra.py"])
def test_the_rule_sees_each_way_to_read_an_error(place: str, text: str) -> None:
    tree = ast.parse(f"def f():\n    try:\n        g()\n    except KINDS as error:\n        {text}\nKINDS = (StepError, Forbidden)\n")
    assert list(branches(ROOT / "genai_platform" / place, tree, {"StepError", "Forbidden"}))


def test_the_product_does_not_speak_of_the_sandbox() -> None:
    """Where a command works is decided in ``cli/worlds``; everything else works the same in every world."""
    worlds = {ROOT / "genai_platform/cli/sandbox.py", *(ROOT / "genai_platform/cli/worlds").rglob("*.py")}
    lines = [
        (str(path.relative_to(ROOT)), number, line)
        for path in PRODUCT
        if path not in worlds
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "sandbox" in line.lower()
    ]
    option = [line for file, _, line in lines if file == "genai_platform/cli/options.py" and re.search(r"--sandbox|self\.sandbox", line)]
    found = [f"{file}:{number}" for file, number, line in lines if line not in option]
    assert option
    assert found == [], "say it without the word, or in cli/worlds"


def written(tree: ast.Module) -> Iterator[int]:
    """Lines that change another object's ``__dict__``."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="__dict__") as held, ctx=ast.Store() | ast.Del()):
                pass
            case ast.Attribute(attr="__dict__", ctx=ast.Store()) as held:
                pass
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="__dict__") as held, attr=method)) if method in _CHANGES:
                pass
            case _:
                continue
        if ast.unparse(held.value) != "self":
            yield node.lineno


def test_nothing_writes_into_the_dictionary_of_an_object(trees: dict[Path, ast.Module]) -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in EVERYTHING for line in written(trees[path])]
    assert found == [], "give the object a constructor argument or a method"


@pytest.mark.parametrize(
    "text", ["a.__dict__['b'] = 1", "a.__dict__.update(b=1)", "a.__dict__ |= {}", "a.__dict__.pop('b')", "del a.__dict__['b']"]
)
def test_the_rule_sees_each_way_to_write_into_it(text: str) -> None:
    assert list(written(ast.parse(text))) == [1]


def _unknown(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "State.UNKNOWN"


def decisions(tree: ast.Module) -> Iterator[int]:
    """Lines that look at a step past ``engine.observe``, or decide that what could not be looked at is unknown."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self") | ast.Call(func=ast.Name(id="super")), attr="observe")):
                continue
            case ast.Call(func=ast.Attribute(attr="observe"), args=[], keywords=[]):
                yield node.lineno
            case ast.Call(args=given, keywords=named) if any(map(_unknown, (*given, *(one.value for one in named)))):
                yield node.lineno
            case _:
                continue


def test_only_the_engine_turns_a_failed_look_into_a_state(trees: dict[Path, ast.Module]) -> None:
    outside = [path for path in PRODUCT if "engine" not in path.relative_to(ROOT).parts]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in outside for line in decisions(trees[path])]
    assert found == [], "let the step raise, and look at it with genai_platform.engine.observe.observe"


@pytest.mark.parametrize(
    "text",
    ["step.observe()", "run.graph[id].observe()", "Observation(State.UNKNOWN, error.message)", "replace(found, state=State.UNKNOWN)"],
)
def test_the_rule_sees_each_way_to_decide_it_elsewhere(text: str) -> None:
    assert list(decisions(ast.parse(text))) == [1]
    assert not list(decisions(ast.parse("super().observe() if found.state is State.UNKNOWN else self.observe()")))
