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

from genai_platform.config import azure_openai, models, settings, sign_in
from genai_platform.config.settings import Settings
from genai_platform.config.values import Table

_MODULES = (settings, models, azure_openai, sign_in)
"""Where tables are written."""


class _Toml(GenerateJsonSchema):
    """TOML has no null: what may be left out has no default to show, and a table's defaults are shown at its keys."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        if isinstance(schema.get("default"), BaseModel | None):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        """By ``if``, so that the key that is wrong is marked and not the whole table; what names no kind is of the first one."""
        key = "provider"
        (_, exact), *others = [(name, self.generate_inner(one)) for name, one in schema["choices"].items()]
        for name, one in others:
            exact = {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": one, "else": exact}
        return {"type": "object", "properties": {key: {"enum": list(schema["choices"])}}, **exact}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema of genai.toml and of each environment's overlay, as a JSON document."""
    found = Settings.model_json_schema(schema_generator=_Toml)
    tables = {name: one for module in _MODULES for name, one in vars(module).items() if inspect.isclass(one) and issubclass(one, Table)}
    meanings = _meanings()
    for name, part in {Settings.__name__: found, **found["$defs"]}.items():
        for field, one in part["properties"].items():
            one["description"] = next(text for base in tables[name].__mro__ if (text := meanings.get((base.__name__, field))))
    # What an editor offers before it knows the provider: every key of every one.
    offered = found["$defs"]["Litellm"]["properties"]["models"]["items"]["properties"]
    for model in models.PROVIDERS.values():
        for field, one in found["$defs"][model.__name__]["properties"].items():
            offered.setdefault(field, {}).setdefault("description", one["description"])
    # Whether it is one of them is said above, once.
    found["$defs"]["AzureModel"]["properties"]["provider"].pop("const")
    # A model of one of azure.openai.deployments has the account's.
    found["$defs"]["AzureModel"]["required"].remove("api_base")
    return {"$schema": _Toml.schema_dialect, **found, "title": "genai.toml"}


def _meanings() -> dict[tuple[str, str], str]:
    """What is written below each field, by table and field. Read here, since pydantic would read it in every command."""
    bodies = [ast.parse(inspect.getsource(module)).body for module in _MODULES]
    tables = [node for body in bodies for node in body if isinstance(node, ast.ClassDef)]
    found = {}
    for table in tables:
        for field, below in pairwise(table.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[table.name, name] = " ".join(text.split()).replace("``", "`")
    return found
