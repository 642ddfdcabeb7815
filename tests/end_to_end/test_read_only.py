"""Commands that look write nothing to either cloud: read off the stand-ins' own logs."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.sandbox.aws.identity import control_key
from genai_platform.sandbox.layout import SandboxLayout
from tests.actions import unlisted
from tests.end_to_end.conftest import Platform


def logs(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    """Every request that the clouds were asked so far."""
    layout = SandboxLayout.open(platform.folder / ".genai" / "sandbox" / "world")
    key = {"Authorization": f"Bearer {control_key(layout)}"}
    with platform.http(layout.url("aws"), headers=key) as aws, platform.http(layout.url("entra", "https")) as azure:
        return {cloud: client.get("/_sandbox/requests").raise_for_status().json() for cloud, client in (("aws", aws), ("azure", azure))}


@pytest.mark.parametrize("command", ["doctor", "plan", "status"])
def test_a_look_sends_no_writing_request(platform: Platform, command: str) -> None:
    before = {cloud: max(entry["number"] for entry in entries) for cloud, entries in logs(platform).items()}
    platform.run(command, code=None)
    after = logs(platform)
    for cloud, number in before.items():
        asked = [entry for entry in after[cloud] if entry["number"] > number]
        assert asked, f"{command} asked {cloud} nothing"
        assert [entry for entry in asked if entry["writing"]] == []


def test_all_that_was_asked_of_aws_is_on_the_list_of_actions(platform: Platform) -> None:
    assert unlisted(logs(platform)["aws"]) == set()


def test_doctor_asks_a_platform_that_exists(platform: Platform) -> None:
    found = {line["id"]: line for line in platform.run("doctor", code=None).document["checked"]}
    asked = {id: line for id, line in found.items() if id.startswith(("permissions.", "quota.", "name."))}
    assert {line["state"] for line in asked.values()} == {"pass"}, asked
    assert {"permissions.network", "permissions.iam_roles", "quota.addresses", "quota.networks", "name.buckets"} <= asked.keys()
    assert "no more needed" in asked["quota.networks"]["evidence"]
    assert "is ours" in asked["name.buckets"]["evidence"]


def test_the_logs_know_what_writes(platform: Platform) -> None:
    written = {cloud: {entry["service"] for entry in entries if entry["writing"]} for cloud, entries in logs(platform).items()}
    number = max(entry["number"] for entry in logs(platform)["aws"])
    bucket = platform.aws("s3").list_buckets()["Buckets"][0]["Name"]
    platform.aws("s3").put_object(Bucket=bucket, Key="read-only-test", Body=b"x")
    platform.aws("s3").delete_object(Bucket=bucket, Key="read-only-test")
    fresh = [entry["method"] for entry in logs(platform)["aws"] if entry["number"] > number and entry["writing"]]
    assert {"PUT", "DELETE"} <= set(fresh)
    assert written["azure"] <= {"entra", "graph", "arm", "vault"}
