"""The schemas of ``--json``: each command has one, each has its command, and they hold what scripts rely on."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests import schemas
from tests.cli.conftest import Shell
from tests.cli.test_examples import ALL

HEAD = {"schema": 1, "environment": "work", "target": "'work': AWS account 123456789012, ap-northeast-1"}
STEP = {"id": "infra.network", "outcome": "done", "seconds": 1.0, "evidence": "20 added", "remedy": ""}
REPORT = {"ok": True, "interrupted": False, "seconds": 1.0, "steps": [STEP]}
LEFT = {"leftovers": [{"kind": "NAT gateway", "id": "nat-1", "usd_per_hour": 0.06, "remove": "aws …"}], "retained": [], "unseen": []}
KEY = {
    "caller": "team-a", "client_id": None, "state": "missing", "expires": None, "spend": None, "budget": 50.0,
    "spent": False, "alias": None, "models": [],
}  # fmt: skip
AMOUNTS = {"usd_per_hour": 0.1, "usd_per_day": 0.8, "usd_per_working_month": 17.6, "usd_per_month": 73.0}
UNIT = {
    "unit": "eks-cluster", "quantity": 1, "usd_per_hour": 0.1, "source": "built-in table", "date": "2026-11-29",
    "region": "ap-northeast-1", "of_this_region": True, "page": None,
}  # fmt: skip
DOCUMENTS: dict[str, dict[str, Any]] = {
    "verify": {"passed": True, "seconds": 1.0, "checks": [{"id": "a.b", "status": "pass", "evidence": "", "seconds": 1, "hint": ""}]},
    "status": {
        "steps": [{"id": "infra.network", "state": "present", "evidence": "vpc-1"}],
        "endpoints": {"litellm": "https://x.example.com", "langfuse": None, "apim": None},
        "usd_per_hour": 0.5,
        "spent": {"usd": 4.1, "since": "2026-11-29T08:31:00+00:00"},
        "next": "genai verify",
        "ends": "2027-03-31T18:00:00Z",
        "started": None,
        "started_by": None,
    },
    "cost": {
        **AMOUNTS,
        "preset": None,
        "source": "prices: built-in table",
        "parts": [{**AMOUNTS, "step": "infra.cluster", "part": "EKS control plane", "units": [UNIT]}],
        "spent": None,
        "presets": [{**AMOUNTS, "name": "small", "description": "AWS alone"}],
    },
    "up": {**REPORT, "endpoints": {}},
    "down": {**REPORT, **LEFT, "foreign": []},
    "teardown": REPORT,
    "audit": LEFT,
    "plan": {
        "changes": [{"step": "infra.network", "action": "create", "object": "aws_vpc.this", "detail": ""}],
        "estimate": {"minutes": 20.0, "usd_per_hour": 0.5, "critical_path": ["infra.network"]},
        "notices": [],
    },
    "keys": {"keys": [KEY]},
    "doctor": {"ok": False, "problems": [{"id": "python", "problem": "old", "remedy": "a newer one"}], "checked": []},
    "error": {"error": {"id": "config.unknown_key", "message": "no", "remedy": ""}},
}
"""One valid document of each kind that scripts rely on."""


def contract() -> Iterator[tuple[str, list[Any]]]:
    """The places in those documents that scripts rely on: a document without one of them is not valid."""
    places = {
        "verify": "passed checks checks.0.id checks.0.status checks.0.evidence checks.0.seconds checks.0.hint",
        "status": "steps steps.0.id steps.0.state steps.0.evidence endpoints endpoints.litellm endpoints.langfuse endpoints.apim "
        "usd_per_hour spent spent.usd spent.since next",
        "cost": "usd_per_hour usd_per_day usd_per_month source parts parts.0.step parts.0.part parts.0.usd_per_hour parts.0.units "
        "parts.0.units.0.source parts.0.units.0.date spent presets presets.0.name presets.0.usd_per_hour",
        "up": "ok seconds steps steps.0.id steps.0.outcome steps.0.seconds steps.0.evidence",
        "down": "ok seconds steps steps.0.id steps.0.outcome steps.0.seconds steps.0.evidence leftovers retained foreign",
        "teardown": "ok seconds steps steps.0.id steps.0.outcome",
        "audit": "leftovers leftovers.0.kind leftovers.0.id leftovers.0.usd_per_hour leftovers.0.remove retained",
        "plan": "changes changes.0.step changes.0.action changes.0.object changes.0.detail "
        "estimate estimate.minutes estimate.usd_per_hour estimate.critical_path",
        "keys": "keys keys.0.caller keys.0.client_id keys.0.state keys.0.expires keys.0.spend keys.0.budget",
        "doctor": "ok problems problems.0.id problems.0.problem problems.0.remedy",
        "error": "error error.id error.message error.remedy",
    }
    for name, text in places.items():
        for place in ("schema", "environment", *text.split()):
            yield name, [int(part) if part.isdigit() else part for part in place.split(".")]


WORDS = [
    ("verify", "checks", "status", {"pass", "fail", "skip"}),
    ("status", "steps", "state", {"present", "absent", "drifted", "unknown"}),
    ("up", "steps", "outcome", {"done", "present", "failed", "skipped"}),
    ("down", "steps", "outcome", {"done", "absent", "retained", "failed", "skipped"}),
    ("plan", "changes", "action", {"create", "update", "delete", "none"}),
    ("keys", "keys", "state", {"active", "revoked", "expired", "missing"}),
]


def faults(name: str, document: dict[str, Any], *, complete: bool = False) -> list[str]:
    return [error.message for error in schemas.validator(name, complete=complete).iter_errors(document)]


@pytest.mark.parametrize("name", schemas.schemas())
def test_each_is_a_schema_and_describes_every_field(name: str) -> None:
    schema = schemas.schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert [field for field, said in fields(schema) if not (said.get("description") or "const" in said)] == []


def fields(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named field in a schema. An object or a list of objects speaks for itself by its fields."""
    if isinstance(part, list):
        for one in part:
            yield from fields(one)
    if isinstance(part, dict):
        yield from ((name, one) for name, one in part.get("properties", {}).items() if "properties" not in one)
        for one in part.values():
            yield from fields(one)


def test_each_command_has_a_schema_and_each_schema_its_commands() -> None:
    commands = {path for path, command in ALL.items() if any("--json" in parameter.opts for parameter in command.params)}
    listed = [command for schema in schemas.schemas().values() for command in schema["title"].split(", ") if command.startswith("genai ")]
    assert sorted(listed) == sorted(commands)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_may_have_further_fields(name: str) -> None:
    document = HEAD | DOCUMENTS[name]
    assert faults(name, document, complete=True) == []
    assert faults(name, document | {"new": 1}) == []
    assert faults(name, document | {"new": 1}, complete=True) != []  # so that a new field is described


@pytest.mark.parametrize(
    ("name", "place"), tuple(contract()), ids=lambda value: value if isinstance(value, str) else ".".join(map(str, value))
)
def test_what_scripts_rely_on_is_required(name: str, place: list[Any]) -> None:
    document: Any = copy.deepcopy(HEAD | DOCUMENTS[name])
    inside = document
    for part in place[:-1]:
        inside = inside[part]
    del inside[place[-1]]
    assert faults(name, document) == [f"'{place[-1]}' is a required property"]


@pytest.mark.parametrize(("name", "list_", "field", "words"), WORDS)
def test_the_words_that_scripts_rely_on_are_all_there_is(name: str, list_: str, field: str, words: set[str]) -> None:
    (one,) = DOCUMENTS[name][list_]
    for word in words:
        assert faults(name, HEAD | DOCUMENTS[name] | {list_: [one | {field: word}]}) == []
    assert len(faults(name, HEAD | DOCUMENTS[name] | {list_: [one | {field: "other"}]})) == 1


def test_a_command_is_known_by_its_words_wherever_its_options_are() -> None:
    assert schemas.command_of(["infra", "--set", "network.zones=3", "--json", "plan"]) == "genai infra plan"
    assert schemas.command_of(["chat", "status", "--json"]) == "genai chat"


def test_the_schema_of_the_configuration_is_for_editors_and_programs(shell: Shell) -> None:
    (shell.folder / "genai.toml").write_text("[network]\nzones = 1\n")  # a wrong one, too, is edited with its help
    answer, plain = shell("config", "schema", "--json"), shell("config", "schema")
    assert (answer.code, plain.code) == (0, 0)
    assert answer.document == {"schema": 1, "environment": "default", **json.loads(plain.out)}
    assert plain.out.isascii()
