"""Commands that look write nothing to either cloud: read off the stand-ins' own logs."""

from __future__ import annotations

import pytest

from tests.actions import unlisted
from tests.end_to_end.conftest import Platform
from tests.end_to_end.looks import LOOKS, Looks, requests


@pytest.mark.parametrize("command", LOOKS, ids=lambda words: words[0])
def test_a_look_sends_no_writing_request(looks: Looks, command: tuple[str, ...]) -> None:
    for cloud, entries in looks(*command).asked.items():
        # The platform's own pods, which have roles, go on writing to their buckets.
        asked = [entry for entry in entries if ":assumed-role/" not in entry.get("principal", "")]
        assert asked, f"{command} asked {cloud} nothing"
        assert [entry for entry in asked if entry["writing"]] == []


def test_all_that_was_asked_of_aws_is_on_the_list_of_actions(platform: Platform) -> None:
    assert unlisted(requests(platform)["aws"]) == set()


def test_doctor_asks_a_platform_that_exists(looks: Looks) -> None:
    found = {line["id"]: line for line in looks("doctor").result.document["checked"]}
    asked = {id: line for id, line in found.items() if id.startswith(("permissions.", "quota.", "name."))}
    assert {line["state"] for line in asked.values()} == {"pass"}, asked
    assert {"permissions.network", "permissions.iam_roles", "quota.addresses", "quota.networks", "name.buckets"} <= asked.keys()
    assert "no more needed" in asked["quota.networks"]["evidence"]
    assert "is ours" in asked["name.buckets"]["evidence"]


def test_the_logs_know_what_writes(platform: Platform) -> None:
    before = requests(platform)
    bucket = platform.aws("s3").list_buckets()["Buckets"][0]["Name"]
    platform.aws("s3").put_object(Bucket=bucket, Key="read-only-test", Body=b"x")
    platform.aws("s3").delete_object(Bucket=bucket, Key="read-only-test")
    fresh = [entry["method"] for entry in requests(platform, before)["aws"] if entry["writing"]]
    assert {"PUT", "DELETE"} <= set(fresh)
    assert {entry["service"] for entry in before["azure"] if entry["writing"]} <= {"entra", "graph", "arm", "vault"}
