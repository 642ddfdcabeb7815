"""Step by step, with Terraform's state in S3, on a sandbox of its own: made, used, locked, and removed after an ``up`` that was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Platform
from tests.end_to_end.processes import processes_of, started

ENV = "two"
NAME = f"sandbox-{ENV}"
STATE = f"genai-{NAME}/storage.tfstate"
SETS = ("terraform.backend=s3", "azure.enabled=false")
STEP_BY_STEP = {
    "litellm": ("infra.", "genai up --only"),
    "langfuse": ("infra.", "genai up --only"),
    "patch": ("langfuse.chart", "genai up --only langfuse.chart"),
}
"""What each family needs first, and the command that makes it."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """A sandbox of another name that comes and goes in this test, with its states in S3."""
    made = Platform(tmp_path, SETS, {"GENAI_ENV": ENV})
    yield made
    made.run("sandbox", "remove", "--yes", code=None)


@pytest.mark.timeout(1200)
def test_the_state_lies_in_a_bucket_that_goes_last(own: Platform) -> None:
    chosen = ("--only", "infra.state", "--only", "infra.storage")
    assert {step["outcome"] for step in own.up(*chosen).steps.values()} == {"done"}
    s3 = own.aws("s3")
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"] if "-state-" in one["Name"])
    state = json.loads(s3.get_object(Bucket=bucket, Key=STATE)["Body"].read())
    assert "aws_s3_bucket" in {resource["type"] for resource in state["resources"]}
    assert [path for path in (own.folder / ".genai" / NAME / "terraform" / "storage").glob("*.tfstate*") if path.is_file()] == []
    assert {step["outcome"] for step in own.up(*chosen).steps.values()} == {"present"}

    _what_a_family_needs_is_named_with_the_command_that_makes_it(own)
    _a_lock_without_a_holder_is_named_with_what_takes_it_away(own, bucket)
    _killed_in_the_middle(own)

    done = own.down().document
    assert (done["ok"], done["leftovers"], done["retained"]) == (True, [], [])
    assert not (own.folder / ".genai" / NAME / "world").exists()
    assert processes_of(own.folder) == []


def _killed_in_the_middle(own: Platform) -> None:
    """``down`` comes while Terraform still makes what the killed ``up`` began, and no state knows it."""
    with started(own, "up", "--skip", "langfuse", *(word for one in own.sets for word in ("--set", one))) as (process, until):
        until("infra.network", "creating")
        process.kill()


def _what_a_family_needs_is_named_with_the_command_that_makes_it(own: Platform) -> None:
    for family, (need, remedy) in STEP_BY_STEP.items():
        answer = own.run(family, code=1)
        failed = next(step for step in answer.document["steps"] if step["outcome"] == "failed")
        assert f"needs '{need}" in failed["evidence"], failed
        assert remedy in answer.err, str(answer)
    assert own.run("litellm", "remove", "--yes").document["ok"]
    states = {id: step["state"] for id, step in own.run("infra", "show").steps.items()}
    assert (states["infra.storage"], states["infra.network"]) == ("present", "absent")


def _a_lock_without_a_holder_is_named_with_what_takes_it_away(own: Platform, bucket: str) -> None:
    """As after a power cut: the lock is an object, and nobody is there to take it away."""
    lock = {
        "ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Info": "", "Who": "somebody@elsewhere",
        "Version": "1.9.0", "Created": "2026-01-02T03:04:05.678901Z", "Path": f"{bucket}/{STATE}",
    }  # fmt: skip
    own.aws("s3").put_object(Bucket=bucket, Key=f"{STATE}.tflock", Body=json.dumps(lock).encode())
    sets = [word for one in own.sets for word in ("--set", one)]
    with started(own, "up", "--only", "infra.storage", *sets) as (process, until):
        until("infra.storage", "somebody@elsewhere has it since 2026-01-02T03:04:05")
        until("infra.storage", f"force-unlock {lock['ID']}")
        folder = own.folder / ".genai" / NAME / "terraform" / "storage"
        own.tool("terraform", f"-chdir={folder}", "force-unlock", lock["ID"], text="yes\n")
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out
