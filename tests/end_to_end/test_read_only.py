"""Commands that look write nothing to either cloud: read off the stand-ins' own logs."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.sandbox.aws.identity import control_key
from genai_platform.sandbox.layout import SandboxLayout
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
        assert asked or command == "doctor", f"{command} asked {cloud} nothing"
        assert [entry for entry in asked if entry["writing"]] == []


def test_the_logs_know_what_writes(platform: Platform) -> None:
    written = {cloud: {entry["service"] for entry in entries if entry["writing"]} for cloud, entries in logs(platform).items()}
    number = max(entry["number"] for entry in logs(platform)["aws"])
    bucket = platform.aws("s3").list_buckets()["Buckets"][0]["Name"]
    platform.aws("s3").put_object(Bucket=bucket, Key="read-only-test", Body=b"x")
    platform.aws("s3").delete_object(Bucket=bucket, Key="read-only-test")
    fresh = [entry["method"] for entry in logs(platform)["aws"] if entry["number"] > number and entry["writing"]]
    assert {"PUT", "DELETE"} <= set(fresh)
    assert written["azure"] <= {"entra", "graph", "arm", "vault"}
