"""The documents of ``--json`` against the schemas in ``docs/schema``: every document that a test reads passes here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from genai_platform.cli.app import app

FOLDER = Path(__file__).parents[1] / "docs" / "schema"
COMMON, ERROR = "common", "error"


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """The content of every schema file by its name without ``.json``."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@cache
def of_commands() -> dict[str, str]:
    """The name of the schema by the command that prints such documents: a schema's title lists them."""
    documents = {name: content for name, content in schemas().items() if name not in (COMMON, ERROR)}
    return {command: name for name, content in documents.items() for command in content["title"].split(", ")}


def valid(arguments: Sequence[str], document: dict[str, Any]) -> None:
    """Assert that a command's document is as its schema says, and has no field that the schema does not describe.

    Args:
        arguments: the words after ``genai``.
    """
    command = command_of(arguments)
    name = ERROR if "error" in document else of_commands()[command]
    fault = best_match(validator(name, complete=True).iter_errors(document))
    assert fault is None, f"{command}: not as docs/schema/{name}.json says: {fault.json_path}: {fault.message}"


@cache
def command_line() -> Any:
    """All of ``genai``'s commands, as click has them. Typer builds them each time it is asked."""
    return typer.main.get_command(app)


def command_of(arguments: Sequence[str]) -> str:
    """The command that these words call, options left out: ``genai infra plan``."""
    found, path = command_line(), "genai"
    while word := next((word for word in arguments if word in getattr(found, "commands", {})), None):
        found, path, arguments = found.commands[word], f"{path} {word}", arguments[arguments.index(word) + 1 :]
    return path


@cache
def validator(name: str, *, complete: bool) -> Draft202012Validator:
    """Validates documents. Consumers must expect further fields; with ``complete`` a field that is not described is a fault."""
    files = {name: (_closed(content) if complete else content) for name, content in schemas().items()}
    registry: Registry[Any] = Registry().with_resources(
        (f"{file}.json", Resource.from_contents(content)) for file, content in files.items()
    )
    return Draft202012Validator(files[name], registry=registry)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for a field that is not described in it."""
    closed = _inside(schema)
    if closed.keys() & {"properties", "$ref", "allOf", "oneOf"}:
        closed["unevaluatedProperties"] = False
    return closed


def _inside(schema: dict[str, Any]) -> dict[str, Any]:
    """The same for what lies inside; the schema itself is part of another one, which has fields of its own."""
    result = dict(schema)
    for key in {"items", "additionalProperties"} & schema.keys():
        result[key] = _closed(schema[key])
    if "properties" in schema:
        result["properties"] = {name: _closed(part) for name, part in schema["properties"].items()}
    if "$defs" in schema:
        result["$defs"] = {name: _inside(part) for name, part in schema["$defs"].items()}
    for key in {"allOf", "oneOf"} & schema.keys():
        result[key] = [_inside(part) for part in schema[key]]
    return result
