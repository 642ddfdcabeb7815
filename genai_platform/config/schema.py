"""The JSON Schema of genai.toml (draft 2020-12), for editors: keys, types, defaults, and what each value means.

What values say together (``config/consistency.py``) is not in it: a file that an editor finds sound may still be refused.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from genai_platform.config import models, settings, sign_in
from genai_platform.config.settings import Settings


class _Toml(GenerateJsonSchema):
    """TOML has no null: what may be left out has no default to show, and a table's defaults are shown at its keys."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        if isinstance(schema.get("default"), BaseModel | None):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema of genai.toml and of each environment's overlay, as a JSON document."""
    found = Settings.model_json_schema(schema_generator=_Toml)
    for (table, field), text in _meanings().items():
        properties = found["properties"] if table == Settings.__name__ else found["$defs"][table]["properties"]
        properties[field]["description"] = text
    return {"$schema": _Toml.schema_dialect, **found, "title": "genai.toml"}


def _meanings() -> dict[tuple[str, str], str]:
    """What is written below each field, by table and field. Read here, since pydantic would read it in every command."""
    bodies = [ast.parse(inspect.getsource(module)).body for module in (settings, models, sign_in)]
    tables = [node for body in bodies for node in body if isinstance(node, ast.ClassDef)]
    found = {}
    for table in tables:
        for field, below in pairwise(table.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[table.name, name] = " ".join(text.split()).replace("``", "`")
    return found
