"""The work after the install: missed when nobody does it, done by ``genai patch``, recognised when it was done by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import NAMESPACE, Platform, Result

NONE = ("langfuse.post_install=none",)
GUARDS = ("patch.identity", "patch.disk", "langfuse.trace", "langfuse.storage", "clickhouse.storage")
CLICKHOUSE = "langfuse-clickhouse-shard0"
ACCOUNTS = ("langfuse", "langfuse-clickhouse")
ROLE = "eks.amazonaws.com/role-arn"
MOUNT = "/etc/clickhouse-server/config.d/s3disk.xml"
ROWS = 1000


@pytest.fixture(scope="module")
def unpatched(platform: Platform) -> Iterator[Platform]:
    """The platform with a fresh Langfuse, on which nobody does the post-install work, and a table with rows in its ClickHouse."""
    plain = Platform(platform.folder, sets=NONE)
    _install_again(plain)
    _query(plain, "CREATE TABLE kept (number UInt64, text String) ENGINE = MergeTree ORDER BY number")
    _query(plain, f"INSERT INTO kept SELECT number, concat('行', toString(number)) FROM numbers({ROWS})")
    assert _disks_of_the_table(plain) == {"default"}
    yield plain
    for family in ("langfuse", "patch"):
        platform.run(family)
    _query(platform, "DROP TABLE IF EXISTS kept")


def _install_again(platform: Platform) -> None:
    """One step away, what needs it before it, and back."""
    gone = platform.run("teardown", "langfuse.chart", "--yes").steps
    assert "langfuse.traces" in gone
    assert gone["langfuse.chart"]["outcome"] == "done"
    platform.run("langfuse")


def _query(platform: Platform, query: str) -> str:
    """Ask ClickHouse with its own user, by a pod in the cluster: nothing outside reaches it."""
    name = "clickhouse-query"
    script = (
        "import os, urllib.request as r; q = r.Request('http://langfuse-clickhouse:8123/', os.environ['QUERY'].encode(), "
        "{'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': os.environ['PASSWORD']}); "
        "print(r.build_opener(r.ProxyHandler({})).open(q, timeout=30).read().decode(), end='')"
    )
    container = {
        "name": "query",
        "image": "public.ecr.aws/docker/library/python:3.12-alpine",
        "command": ["python3", "-c", script],
        "env": [
            {"name": "QUERY", "value": query},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "langfuse-platform", "key": "clickhouse-password"}}},
        ],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    platform.kubectl("create", "--filename=-", text=json.dumps(pod))
    try:
        platform.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        return platform.kubectl("logs", name).out
    finally:
        platform.kubectl("delete", "pod", name, "--wait=true")


def _disks_of_the_table(platform: Platform) -> set[str]:
    return set(_query(platform, "SELECT DISTINCT disk_name FROM system.parts WHERE active AND table = 'kept'").split())


def _failed(result: Result) -> set[str]:
    return {id for id, check in result.checks.items() if check["status"] == "fail"}


def _by_hand(platform: Platform) -> None:
    """The handbook's commands: two annotations, a mount, three restarts."""
    for account, role in zip(ACCOUNTS, ("langfuse", "clickhouse"), strict=True):
        arn = platform.aws("iam").get_role(RoleName=f"genai-sandbox-{role}")["Role"]["Arn"]
        platform.kubectl("annotate", "serviceaccount", account, f"{ROLE}={arn}", "--overwrite")
    volume = {"name": "s3", "configMap": {"name": "clickhouse-s3-config"}}
    mount = {"name": "s3", "mountPath": MOUNT, "subPath": "s3disk.xml"}
    spec = {"volumes": [volume], "containers": [{"name": "clickhouse", "volumeMounts": [mount]}]}
    platform.kubectl("patch", "statefulset", CLICKHOUSE, "--patch", json.dumps({"spec": {"template": {"spec": spec}}}))
    for name in (f"statefulset/{CLICKHOUSE}", "deployment/langfuse-web", "deployment/langfuse-worker"):
        if not name.startswith("statefulset"):
            platform.kubectl("rollout", "restart", name)
        platform.kubectl("rollout", "status", name, "--timeout=120s", timeout=150)


# -- nobody did it, then genai patch ------------------------------------------------------------------
def test_without_the_work_exactly_its_checks_fail_and_name_the_command(unpatched: Platform) -> None:
    result = unpatched.verify(limit=60, code=1)
    assert _failed(result) == set(GUARDS), str(result)
    for id in GUARDS:
        assert "genai patch" in result.checks[id]["hint"], f"{id}\n{result}"


def _write_disk(platform: Platform, text: str) -> None:
    body = json.dumps({"data": {"s3disk.xml": text}})
    platform.kubectl("patch", "configmap", "clickhouse-s3-config", "--type=merge", "--patch-file=/dev/stdin", text=body)


def test_patch_does_it_and_what_clickhouse_held_stays_readable(unpatched: Platform) -> None:
    result = unpatched.run("patch")
    assert {id: step["outcome"] for id, step in result.steps.items() if id.startswith("patch.")} == {
        "patch.identity": "done",
        "patch.disk": "done",
    }, str(result)
    verified = unpatched.verify()
    assert verified.document["passed"] is True, str(verified)
    assert _query(unpatched, "SELECT count(), sum(number), max(text) FROM kept").split() == [
        str(ROWS),
        str(ROWS * (ROWS - 1) // 2),
        f"行{ROWS - 1}",
    ]
    # The table adopts the policy: old parts stay where they lie, new ones go to the bucket.
    _query(unpatched, f"INSERT INTO kept SELECT number, 'new' FROM numbers({ROWS})")
    assert "s3disk" in _disks_of_the_table(unpatched)
    assert _query(unpatched, "SELECT count() FROM kept").strip() == str(2 * ROWS)


def test_patch_again_finds_all_in_place_and_restarts_nothing(unpatched: Platform) -> None:
    pods = unpatched.pods()
    result = unpatched.run("patch")
    assert {step["outcome"] for step in result.steps.values()} == {"present"}, str(result)
    assert "in place" in result.steps["patch.disk"]["evidence"]
    assert unpatched.pods() == pods


def test_a_policy_without_the_s3_disk_is_refused(unpatched: Platform) -> None:
    """With such a file ClickHouse would not write to the bucket: ``patch`` says so and touches nothing."""
    before = unpatched.objects("configmap", "clickhouse-s3-config")["data"]["s3disk.xml"]
    wrong = before.replace("<disk>s3disk</disk>", "<disk>default</disk>")
    assert wrong != before
    _write_disk(unpatched, wrong)
    pods = unpatched.pods()
    try:
        result = unpatched.run("patch", code=1)
        assert "s3disk.xml is refused" in json.dumps(result.document), str(result)
        assert unpatched.pods() == pods
    finally:
        _write_disk(unpatched, before)


def test_a_disk_file_without_the_s3_disk_is_seen(unpatched: Platform) -> None:
    """The file is edited by hand and ClickHouse started again. Its tables still know both disks."""
    before = unpatched.objects("configmap", "clickhouse-s3-config")["data"]["s3disk.xml"]
    swapped = before.replace("<disk>s3disk</disk>", "<disk>#</disk>").replace("<disk>default</disk>", "<disk>s3disk</disk>")
    _write_disk(unpatched, swapped.replace("<disk>#</disk>", "<disk>default</disk>"))
    try:
        _restart_clickhouse(unpatched)
        result = unpatched.verify("patch.disk", "clickhouse.storage", limit=15, code=1)
        assert _failed(result) == {"patch.disk", "clickhouse.storage"}, str(result)
        assert "must come first" in result.checks["patch.disk"]["hint"], str(result)
    finally:
        _write_disk(unpatched, before)
        _restart_clickhouse(unpatched)
    assert unpatched.verify("patch.disk", "clickhouse.storage").document["passed"] is True


def _restart_clickhouse(platform: Platform) -> None:
    platform.kubectl("delete", "pod", f"{CLICKHOUSE}-0", "--wait=true")
    platform.kubectl("rollout", "status", f"statefulset/{CLICKHOUSE}", "--timeout=120s", timeout=150)


# -- by hand ------------------------------------------------------------------------------------------
def test_what_was_done_by_hand_is_found_in_place(unpatched: Platform) -> None:
    """On a fresh install, since a ClickHouse whose parts lie in the bucket cannot lose the disk."""
    _install_again(unpatched)
    _by_hand(unpatched)
    pods, revision = unpatched.pods(), unpatched.revision()
    result = unpatched.run("patch")
    assert {step["outcome"] for step in result.steps.values()} == {"present"}, str(result)
    assert (unpatched.pods(), unpatched.revision()) == (pods, revision)
    assert unpatched.verify().document["passed"] is True
