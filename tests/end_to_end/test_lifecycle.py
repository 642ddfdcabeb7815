"""What is asked of, found around and taken over by a platform that exists: on the session's platform."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.conftest import Platform, wait_until
from tests.end_to_end.leftovers import Land, clear, plant
from tests.end_to_end.looks import Looks


# -- what is asked of a platform that stands ------------------------------------------------------
def test_status_plan_doctor_and_audit_agree(looks: Looks) -> None:
    status = looks("status", "--exit-code").result.document
    assert {step["state"] for step in status["steps"]} == {"present"}
    assert status["endpoints"]["litellm"].startswith("https://")
    assert status["usd_per_hour"] > 0
    plan = looks("plan", "--exit-code").result.document
    assert {change["action"] for change in plan["changes"]} == {"none"}
    assert set(plan["estimate"]) == {"minutes", "usd_per_hour", "critical_path"}
    doctor = looks("doctor").result.document
    assert (doctor["ok"], doctor["problems"]) == (True, [])
    audit = looks("audit").result.document
    assert (audit["leftovers"], audit["retained"]) == ([], [])


@pytest.mark.parametrize("family", ["litellm", "langfuse", "patch"])
def test_the_plan_of_a_family(platform: Platform, family: str) -> None:
    assert {change["action"] for change in platform.run(family, "plan").document["changes"]} == {"none"}


@pytest.mark.parametrize("family", ["litellm", "langfuse", "patch"])
def test_a_family_alone(platform: Platform, family: str) -> None:
    """Show and apply on a complete platform: nothing to do, and only this family's steps are looked at."""
    before = platform.pods(), platform.revision()
    shown = platform.run(family, "show").steps
    assert shown
    assert all(id.startswith(f"{family}.") and step["state"] == "present" for id, step in shown.items())
    applied = platform.run(family).steps
    assert set(applied) == set(shown)
    assert {step["outcome"] for step in applied.values()} == {"present"}
    assert (platform.pods(), platform.revision()) == before


def test_a_kubernetes_version_that_eks_would_refuse_changes_nothing(platform: Platform) -> None:
    for words, version, said in ((("plan",), "1.38", "EKS does not offer it"), (("up", "--yes"), "1.33", "EKS never goes back")):
        refused = platform.run(*words, sets=(f"cluster.version={version}",), code=2)
        assert said in refused.document["error"]["message"]
    plan = platform.run("plan", "--only", "infra.cluster", sets=("cluster.version=1.36",)).document
    assert {change["detail"] for change in plan["changes"] if change["action"] != "none"} == {"Kubernetes 1.35 -> 1.36"}


def test_render_writes_what_would_be_applied(platform: Platform, tmp_path: Path) -> None:
    platform.run("render", "--out", str(tmp_path / "rendered"))
    files = [path for path in (tmp_path / "rendered").rglob("*") if path.is_file()]
    assert {"litellm.config.yaml", "litellm.proxy.yaml", "langfuse.ingress.yaml", "values.yaml", "policy.xml"} <= {
        path.name for path in files
    }
    key = platform.variables["OPENAI_API_KEY"]
    assert not any(key in path.read_text("utf-8") for path in files)
    platform.kubectl("apply", "--dry-run=server", "--filename", str(tmp_path / "rendered" / "litellm.proxy.yaml"))


def test_the_sandbox_lists_its_parts(platform: Platform) -> None:
    parts = platform.run("sandbox", "status", sandbox=False).document["parts"]
    assert {part["kind"] for part in parts} >= {"real", "stand-in"}
    for part in parts:
        if part["pid"] is not None and part["state"] == "running":
            assert psutil.pid_exists(part["pid"]), part


def test_a_second_run_is_refused_by_the_lock(platform: Platform) -> None:
    from genai_platform.engine.lock import hold

    with hold(platform.folder / ".genai" / "sandbox" / "lock", "genai up"):
        for words in (("up", "--yes"), ("down", "--yes"), ("teardown", "litellm.proxy", "--yes"), ("infra",)):
            refused = platform.run(*words, code=1)
            assert "'genai up'" in refused.document["error"]["message"]
            assert f"process {os.getpid()}" in refused.document["error"]["message"]
        platform.run("status")


# -- leftovers ------------------------------------------------------------------------------------
def test_the_audit_finds_a_leftover_of_each_kind_and_how_to_remove_it(platform: Platform) -> None:
    land = Land.of(platform)
    try:
        made = plant(land)
        found = platform.run("audit", code=1).document["leftovers"]
        assert made <= {(one["kind"], one["id"]) for one in found}
        paid = {one["kind"] for one in found if one["usd_per_hour"] > 0}
        assert paid >= {
            "ec2:nat-gateway", "ec2:instance", "ec2:volume", "ec2:elastic-ip", "elbv2:load-balancer", "secretsmanager:secret", "kms:key",
            "eks:cluster", "rds:instance", "rds:snapshot", "elasticache:replication-group", "elasticache:cluster",
        }  # fmt: skip
        assert [one["remove"].partition(" ")[0] for one in found if one["kind"] == "ssm:parameter"] == ["#"]
    finally:
        left = platform.run("audit", code=None).document["leftovers"]
        # As they are listed, like a person would.
        done = [platform.tool("sh", "-c", one["remove"], code=None) for one in left]
        clear(land)
    assert [str(one) for one in done if one.code != 0] == []
    # EKS takes its time to delete a cluster.
    wait_until(lambda: platform.run("audit", code=None).document["leftovers"] == [], "nothing left over", interval=2)


# -- what a run that was ended left behind ---------------------------------------------------------
ROLE = 'aws_iam_role.application["litellm"]'
FORGOTTEN = {
    "cluster": [ROLE, "aws_eks_cluster.this", "aws_iam_role.node"],
    "data": [
        "aws_db_subnet_group.this", "aws_rds_cluster.this", "aws_rds_cluster_instance.this", "aws_elasticache_replication_group.this",
    ],
}  # fmt: skip
"""What the states of these roots forget."""


def test_what_stands_and_no_state_knows_is_taken_over_when_it_is_ours(platform: Platform) -> None:
    """As when a run is ended while AWS answers it: made there, and not written down here."""
    role, iam = "genai-sandbox-litellm", platform.aws("iam")
    births, pods, tags = _births(platform), platform.pods(), iam.list_role_tags(RoleName=role)["Tags"]
    for root, addresses in FORGOTTEN.items():
        folder = platform.folder / ".genai" / "sandbox" / "terraform" / root
        platform.tool("terraform", f"-chdir={folder}", "state", "rm", *addresses)
    iam.untag_role(RoleName=role, TagKeys=[tag["Key"] for tag in tags])
    try:
        refused = platform.run("infra", "--only", "cluster", code=1).steps["infra.cluster"]
        assert role in refused["evidence"]
        assert "does not carry this environment's tags" in refused["evidence"]
    finally:
        iam.tag_role(RoleName=role, Tags=tags)
    taken = platform.run("infra", "--only", "cluster", "--only", "data").steps
    # What the refused run could take over is in the state already: of its root only the role is left.
    for root, left in {"cluster": 1, "data": 4}.items():
        assert taken[f"infra.{root}"]["outcome"] == "done"
        assert taken[f"infra.{root}"]["evidence"].endswith(f", 0 removed, {left} found and taken over")
    shown = platform.run("infra", "show").steps
    assert {step["state"] for step in shown.values()} == {"present"}
    assert all(id.startswith("infra.") for id in shown)
    assert (_births(platform), platform.pods()) == (births, pods), "nothing was made a second time"


def _births(platform: Platform) -> list[Any]:
    """When those that keep something were made."""
    cluster = platform.aws("eks").describe_cluster(name="genai-sandbox")["cluster"]
    database = platform.aws("rds").describe_db_clusters(DBClusterIdentifier="genai-sandbox")["DBClusters"][0]
    cache = platform.aws("elasticache").describe_replication_groups(ReplicationGroupId="genai-sandbox")["ReplicationGroups"][0]
    buckets = platform.aws("s3").list_buckets()["Buckets"]
    role = platform.aws("iam").get_role(RoleName="genai-sandbox-litellm")["Role"]["RoleId"]
    return [cluster["createdAt"], database["ClusterCreateTime"], cache["ReplicationGroupCreateTime"], buckets, role]
