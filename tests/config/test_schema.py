"""The JSON Schema of genai.toml: what editors tell of it agrees with what the settings take."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from genai_platform.config import wizard, wizard_file
from genai_platform.config.layers import Layer, validate
from genai_platform.config.schema import schema
from genai_platform.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = Draft202012Validator(schema())


def properties(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property by its dotted name, in tables that repeat once."""
    found = schema()["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    for inner in (found.get("items"), *found.get("patternProperties", {}).values()):
        yield from properties(inner, path) if inner else ()
    for name, one in found.get("properties", {}).items():
        yield f"{path}{name}", one
        yield from properties(one, f"{path}{name}.")


def examples() -> Iterator[str]:
    """Whole files and overlays: those of the guides, and what ``init`` writes."""
    for guide in sorted(DOCS.glob("*/*.md")):
        yield from re.findall(r"^```toml\n(.*?)^```", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    answers = {one.key: one.default for one in (*wizard.QUESTIONS, *wizard.AZURE)}
    guid = "11111111-2222-3333-4444-555555555555"
    yield wizard_file.document(
        answers | {"account_id": "123456789012", "tenant_id": guid, "subscription_id": guid, "resource_group": "genai"}
        | {"api_base": "https://x.openai.azure.com", "models": "gpt-4o"}
    )  # fmt: skip


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(schema(), allow_nan=False)


def test_every_value_says_what_it_means() -> None:
    found = dict(properties(schema()))
    assert {"platform.name", "litellm.models.api_base", "azure.callers.max_budget", "langfuse.chart.version"} <= found.keys()
    assert [name for name, one in found.items() if not one.get("description") or "``" in one["description"]] == []


def test_defaults_are_those_of_the_settings() -> None:
    settings = validate([]).settings.model_dump(mode="json")
    shown = {name: one["default"] for name, one in properties(schema()) if "default" in one}
    assert shown["network.zones"] == 2
    for name, default in shown.items():
        if not name.startswith(("litellm.models.", "azure.callers.", "azure.openai.")):
            value: Any = settings
            for part in name.split("."):
                value = value[part]
            assert value == default, name


@pytest.mark.parametrize("text", tuple(examples()), ids=lambda text: text.splitlines()[0])
def test_examples_are_sound(text: str) -> None:
    assert [error.message for error in SCHEMA.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        'azure.callers.a.expires = "2027-03-31"',
        "azure.callers.a.max_budget = 50",
        'azure.tenant_id = "{11111111-2222-3333-4444-555555555555}"',
        'ingress.allowed_cidrs = ["203.0.113.7", "2001:db8::/32"]',
        'langfuse.chart.path = "."',
        '[[litellm.models]]\nname = "m"\nazure_deployment = "gpt-4o"\nbase_model = "azure/gpt-4o"\n'
        'api_base = "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"',
    ],
)
def test_nothing_is_marked_that_the_settings_take(text: str) -> None:
    values = tomllib.loads(text)
    validate([Layer("genai.toml", values)])
    assert [error.message for error in SCHEMA.iter_errors(values)] == []


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("network.zonse = 2", "$.network"),
        ("network.zones = 1", "$.network.zones"),
        ('network.zones = "2"', "$.network.zones"),
        ("cluster.version = 1.35", "$.cluster.version"),
        ('platform.name = "Genai"', "$.platform.name"),
        ('azure.apim.sku = "PremiumV2"', "$.azure.apim.sku"),
        ('azure.callers.Team.models = ["m"]', "$.azure.callers"),
        ('[[litellm.models]]\nname = "m"\napi_base = "https://x.example"', "$.litellm.models[0]"),
        ('[[litellm.models]]\nname = "m"\nazure_deployment = "d"\napi_base = "x.openai.azure.com"', "$.litellm.models[0].api_base"),
    ],
)
def test_what_the_settings_refuse_is_marked_where_it_is(text: str, at: str) -> None:
    values = tomllib.loads(text)
    with pytest.raises(ConfigError):
        validate([Layer("genai.toml", values)])
    assert [error.json_path for error in SCHEMA.iter_errors(values)] == [at]
