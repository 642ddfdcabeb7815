"""What the doors import when they are opened was imported before, by one thread."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "genai_platform" / "tools"
ROOTS = ("azure", "boto3", "botocore", "kubernetes", "pyhelm3", "requests")


def lazy() -> Iterator[str]:
    """The modules of slow libraries that functions of the doors import."""
    for file in sorted(TOOLS.rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                yield from (name for name in names if name.split(".")[0] in ROOTS)


def test_doors_that_are_opened_at_the_same_time_import_nothing_more() -> None:
    code = f"""
import importlib, json, sys
from genai_platform.tools import libraries
libraries.load(azure=True)
libraries.load_cognitive()
before = set(sys.modules)
for name in {sorted(set(lazy()))!r}:
    importlib.import_module(name)
print(json.dumps(sorted(name for name in set(sys.modules) - before if name.split(".")[0] in {ROOTS!r})))
"""
    assert len(set(lazy())) > 10
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == []
