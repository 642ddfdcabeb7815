"""``genai env``: environments side by side, and a second person who joins one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from genai_platform.config import toml
from tests.cli.conftest import Shell

BUCKET = "genai-state-123456789012"
REGION = "ap-northeast-1"
REMOTE = """[aws]
account_id = "123456789012"
[terraform]
backend = "s3"
[litellm]
replicas = 2
[[litellm.models]]
name = "gpt"
azure_deployment = "gpt"
api_base = "https://x.openai.azure.com"
[ingress]
allowed_cidrs = ["203.0.113.0/24"]
"""


@pytest.fixture
def shared(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A folder whose states lie in a bucket of an account in this process."""
    monkeypatch.setenv("AZURE_API_KEY", "the-models-key")
    (shell.folder / "genai.toml").write_text(REMOTE)
    with mock_aws():
        boto3.client("s3", REGION).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield shell


@pytest.fixture
def colleague(shared: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first person has built it with a value of their own; then somebody works in an empty folder."""
    assert shared("up", "--set", "network.zones=3").code == 0
    folder = shared.folder / "colleague"
    folder.mkdir()
    (shared.folder / "genai.toml").rename(shared.folder / "first.toml")
    monkeypatch.chdir(folder)
    return folder


def copy(prefix: str = "genai") -> dict[str, Any]:
    body = boto3.client("s3", REGION).get_object(Bucket=BUCKET, Key=f"{prefix}/environment.json")["Body"].read()
    assert b"the-models-key" not in body
    return dict(json.loads(body))


def environments(shell: Shell, *words: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in shell("env", "list", "--json", *words).document["environments"]}


def test_a_second_person_has_the_same_environment(shared: Shell, colleague: Path) -> None:
    assert copy()["settings"]["network"] == {"zones": 3}
    answer = shared("env", "join", BUCKET, "--json")
    assert answer.code == 0, answer.err
    assert (answer.document["joined"], answer.document["changed"]) == ("default", True)
    written = tomllib.loads((colleague / "genai.toml").read_text())
    assert written == tomllib.loads(REMOTE) | {"network": {"zones": 3}}
    assert shared("plan").code == 0
    again = shared("env", "join", f"s3://{BUCKET}/genai", "--json")
    assert (again.code, again.document["changed"]) == (0, False)


def test_a_second_person_is_told_of_the_file_that_is_not_copied(shared: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared.folder / "more.yaml").write_text("general_settings: {}\n")
    assert shared("up", "--set", "litellm.extra_config=more.yaml").code == 0
    folder = shared.folder / "colleague"
    folder.mkdir()
    (shared.folder / "genai.toml").rename(shared.folder / "first.toml")
    monkeypatch.chdir(folder)
    assert environments(shared, BUCKET)["default"]["last_up"]
    answer = shared("env", "join", BUCKET)
    assert answer.code == 0
    assert "litellm.extra_config: more.yaml is not copied" in answer.err
    refused = shared("plan")
    assert refused.code == 2
    assert "litellm.extra_config: more.yaml does not exist in" in refused.err
    (folder / "more.yaml").write_text("{}\n")
    assert shared("plan").code == 0


def test_another_configuration_here_is_not_replaced(shared: Shell, colleague: Path) -> None:
    mine = REMOTE.replace("replicas = 2", "replicas = 3")
    (colleague / "genai.toml").write_text(mine)
    answer = shared("env", "join", BUCKET, "--json")
    assert (answer.code, answer.document["error"]["id"]) == (2, "env.different")
    assert "litellm.replicas" in answer.document["error"]["message"]
    assert (colleague / "genai.toml").read_text() == mine


def test_what_a_common_file_adds_makes_it_another_environment(shared: Shell, colleague: Path) -> None:
    body = copy() | {"environment": "work"}
    boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key="genai-work/environment.json", Body=json.dumps(body).encode())
    several = shared("env", "join", BUCKET, "--json")
    assert (several.code, several.document["error"]["id"]) == (2, "env.several")
    (colleague / "genai.toml").write_text("[network]\nnat = 'per-zone'\n")
    refused = shared("env", "join", BUCKET, "--env", "work", "--json")
    assert (refused.code, "network.nat" in refused.document["error"]["message"]) == (2, True)
    assert not (colleague / "genai.work.toml").exists()
    (colleague / "genai.toml").unlink()
    assert shared("env", "join", BUCKET, "--env", "work").code == 0
    assert (colleague / "genai.work.toml").is_file()


def test_nothing_to_join_says_what_is_missing(shared: Shell) -> None:
    answer = shared("env", "join", BUCKET, "--json")
    assert (answer.code, answer.document["error"]["id"]) == (3, "env.absent")
    assert shared("env", "join", "no-such-bucket-here").code == 1


def test_environments_side_by_side(shared: Shell) -> None:
    (shared.folder / "genai.work.toml").write_text("[platform]\nname = 'other'\n")
    assert environments(shared)["default"]["last_up"] is None
    assert shared("up").code == 0
    state = {"version": 4, "resources": [{"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {}}]}]}
    boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key="genai/network.tfstate", Body=json.dumps(state).encode())
    found = environments(shared)
    assert (found["default"]["present"], found["default"]["bucket"], found["default"]["files"]) == (True, BUCKET, ["genai.toml"])
    assert found["default"]["last_up"] is not None
    assert "@" in found["default"]["last_up_by"]
    assert (found["work"]["present"], found["work"]["files"]) == (False, ["genai.toml", "genai.work.toml"])
    (shared.folder / "genai.toml").write_text("")
    (shared.folder / "genai.work.toml").unlink()
    elsewhere = [one for one in shared("env", "list", BUCKET, "--json").document["environments"] if not one["here"]]
    assert [(one["name"], one["present"]) for one in elsewhere] == [("default", True)]


def test_a_state_that_cannot_be_read_is_unknown_and_not_absent(shared: Shell) -> None:
    boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key="genai/network.tfstate", Body=b"{")
    document = shared("env", "list", "--json").document
    assert document["environments"][0]["present"] is None
    assert any("damaged" in line for line in document["unseen"])


def test_without_a_bucket_the_configuration_stays_here(shell: Shell) -> None:
    assert shell("up").code == 0
    found = environments(shell)["default"]
    assert (found["bucket"], found["present"], found["last_up_by"]) == (None, False, None)
    assert found["last_up"] is not None


def test_settings_become_toml_that_says_the_same() -> None:
    values = {
        "a": 'x"\\\n\x7fé',
        "t": {"b": True, "n": 1.5, "l": ["x", "y"], "none": None, "u": {"k.v": 1}},
        "m": [{"i": 1, "s": {"z": 2}}, {"i": 2}],
    }
    assert tomllib.loads(toml.document(values)) == {**values, "t": {key: value for key, value in values["t"].items() if key != "none"}}  # type: ignore[attr-defined]
