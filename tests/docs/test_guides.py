"""The guides against the code: every setting, step, check and command they name exists, and none is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from genai_platform.checks.catalog import build as build_checks
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.steps.azure.inventory import Inventory
from genai_platform.steps.catalog import build as build_steps
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites.actions import needs
from tests import schemas

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGES = ("en", "ja")
EVERYTHING = {
    "terraform": {"backend": "s3"},
    "langfuse": {"chart": {"version": "2.0.0"}},
    "litellm": {"models": [{"name": "m", "azure_deployment": "m", "api_base": "https://a.example"}]},
    "azure": {"enabled": True, "tenant_id": "0" * 32, "subscription_id": "0" * 32, "apim": {"keys": "shared"}},
}
FAMILIES = "infra|litellm|langfuse|patch|azure"


def clients() -> Clients:
    return Clients(Target("default", Settings.model_validate(EVERYTHING), Endpoints(), Path("/nonexistent")))


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every key as the guides write it; those of tables that repeat without their table's name."""
    for name, field in model.model_fields.items():
        inner = _tables(field.annotation)
        if not inner:
            yield f"{path}{name}"
        elif get_origin(field.annotation) in (tuple, dict):
            yield f"{path}{name}"
            for table in inner:
                yield from keys(table)
        else:
            for table in inner:
                yield from keys(table, f"{path}{name}.")


def _tables(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (tuple, dict, Union, UnionType, Annotated):
        return [found for one in get_args(annotation) for found in _tables(one)]
    return []


def guides() -> list[Path]:
    return sorted([DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *DOCS.glob("*.md"), *DOCS.glob("*/*.md")])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_is_described(language: str) -> None:
    text = (DOCS / language / "configuration.md").read_text("utf-8")
    described = {name for row in re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    assert [key for key in keys(Settings) if key not in described] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_setting_is_described_that_does_not_exist(language: str) -> None:
    text = (DOCS / language / "configuration.md").read_text("utf-8")
    sections = "|".join(Settings.model_fields)
    named = set(re.findall(rf"^\| `((?:{sections})\.[a-z_.]+)` \|", text, re.MULTILINE))
    assert named - set(keys(Settings)) == set()


def test_both_languages_have_the_same_guides() -> None:
    assert {path.name for path in (DOCS / "en").glob("*.md")} == {path.name for path in (DOCS / "ja").glob("*.md")}


def test_both_languages_quote_the_same_messages_and_commands() -> None:
    english, japanese = (
        set(re.findall(r"`([^`\n]+)`", (DOCS / language / "troubleshooting.md").read_text("utf-8"))) for language in LANGUAGES
    )
    assert english ^ japanese == set()


def test_both_languages_have_the_same_command_for_each_step_of_a_handbook() -> None:
    heads = {"en": "### The handbook's step, and the command", "ja": "### 手順書の手順とコマンド"}
    tables = {language: _section(language, head) for language, head in heads.items()}
    english, japanese = (
        # What is said to a model is said in the guide's language.
        [re.sub(r'"[^"]*"', '"…"', command) for row in tables[language] for command in re.findall(r"`([^`]*genai [^`]+)`", row)]
        for language in LANGUAGES
    )
    assert english == japanese
    assert {command.split()[1] for command in english if command.startswith("genai ")} >= {
        *FAMILIES.split("|"),
        "init",
        "doctor",
        "verify",
        "down",
    }


def _section(language: str, head: str) -> list[str]:
    """The rows of the table under a heading of the guide to everyday work."""
    text = (DOCS / language / "operation.md").read_text("utf-8").split(f"{head}\n")[1]
    return re.findall(r"^\| .+ \|$", text.split("\n#")[0], re.MULTILINE)[1:]


def test_the_architecture_names_every_step_and_no_other() -> None:
    text = (DOCS / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z]+\.[^|]+) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == set(build_steps(clients()).ids)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_check_is_described(language: str) -> None:
    text = (DOCS / language / "operation.md").read_text("utf-8")
    checks = build_checks(clients(), lambda: Inventory(clients()))
    many = {"azure.refuses": "azure.refuses.…", "models": "models.NAME"}
    wanted = {many.get(check.id.rpartition(".")[0], check.id) for check in checks}
    assert [id for id in sorted(wanted) if f"`{id}`" not in text] == []


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line's words name, and the words after it."""
    found = schemas.command_line()
    while words and words[0] in getattr(found, "commands", {}):
        found, words = found.commands[words[0]], words[1:]
    return found, words


def _left(command: Any, words: list[str]) -> list[str]:
    """The words that a command would not take: options and arguments that it does not have."""
    left: list[str]
    _, left, _ = command.make_parser(command.make_context(command.name, [], resilient_parsing=True)).parse_args(list(words))
    return left


@pytest.mark.parametrize("guide", guides(), ids=lambda path: str(path.relative_to(DOCS.parent)))
def test_every_command_exists_with_its_options(guide: Path) -> None:
    text = guide.read_text("utf-8")
    lines = [line for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", text)
    for line in lines:
        for said in re.findall(r"(?:^|\(|;\s*)genai ([a-z][^#()]*)", line.split("#")[0]):
            # Up to what is the shell's; brackets mean "may be left out".
            words = re.split(r"\s(?:>|&&)", said)[0].replace("[", "").replace("]", "").split()
            command, rest = _command(words)
            assert command.name != "genai", f"{guide.name}: there is no command in: genai {said}"
            assert _left(command, rest) == [], f"{guide.name}: genai {said}"


@pytest.mark.parametrize("guide", guides(), ids=lambda path: str(path.relative_to(DOCS.parent)))
def test_every_link_and_file_it_names_is_there(guide: Path) -> None:
    text = guide.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith("https://") or (guide.parent / link).exists(), f"{guide.name}: {link}"
    if guide.name == "ARCHITECTURE.md":
        package, top = DOCS.parent / "genai_platform", DOCS.parent
        for name in re.findall(r"`([a-z_/]+/[a-z_*0-9/.]*)`", text):
            found = [*package.glob(name.rstrip("/")), *top.glob(name.rstrip("/")), *(package / "sandbox").glob(name.rstrip("/"))]
            assert found, f"ARCHITECTURE.md names {name}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_names_each_area_of_aws_actions(language: str) -> None:
    settings = {"ingress": {"domain": "genai.example.com"}}
    target = Target("default", Settings.model_validate(settings), Endpoints(), Path("/nonexistent"))
    wanted: dict[str, set[str]] = {}
    for need in needs(target, "123456789012"):
        wanted.setdefault(need.area, set()).update(action.partition(":")[0] for action in need.actions)
    text = (DOCS / language / "security.md").read_text("utf-8")
    rows = re.findall(r"^\| ([A-Za-z ]+) \| ((?:`[a-z0-9]+`[,、 ]*)+) \|", text, re.MULTILINE)
    assert {area: set(re.findall(r"`([a-z0-9]+)`", services)) for area, services in rows} == wanted
