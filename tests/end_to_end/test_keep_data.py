"""Three days on a sandbox of its own, whose models and people have no secrets: an ``up`` interrupted and killed, and kept over night;
another cluster, a lost volume and an evening; the next chart line, and a last ``down``. What is switched off on the way is removed
on the way."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.steps.azure import KEPT_WITH_DATA
from tests.end_to_end import no_secrets
from tests.end_to_end.conftest import Platform, wait_until
from tests.end_to_end.processes import started

CALLER = "team-a"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """A sandbox that comes and goes in this test."""
    made = Platform(tmp_path)
    no_secrets.configure(made, no_secrets.SIGN_IN, no_secrets.ENTRA, no_secrets.BEDROCK)
    yield made
    made.run("sandbox", "remove", "--yes", code=None)


def _interrupted_and_killed(own: Platform) -> None:
    with started(own, "up") as (process, until):
        until("infra.network", "creating")
        refused = own.run("up", "--yes", code=1)
        assert f"process {process.pid}" in refused.document["error"]["message"]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 130, out
        assert "Traceback" not in out
    for step, said in (("infra.data", "creating"), ("langfuse.chart", "apply")):
        with started(own, "up") as (process, until):
            until(step, said)
            process.kill()
    done = own.up()
    assert done.document["ok"], str(done)
    assert {step["outcome"] for step in done.steps.values()} <= {"done", "present"}


def identity(own: Platform) -> tuple[str, str]:
    """What a caller has written down, and signs in with."""
    found = own.run("azure", "env", "--caller", CALLER).document["variables"]
    return found["CLIENT_ID"], found["CLIENT_SECRET"]


LINE_2 = ("langfuse.chart.version=2.0.0",)


def lose_the_volume(own: Platform) -> None:
    """What a deleted claim leaves: ClickHouse runs again, on a new volume."""
    pod = "langfuse-clickhouse-shard0-0"
    before = own.objects("pod", pod)["metadata"]["uid"]
    own.kubectl("delete", "pvc", f"data-{pod}", "--wait=false")
    own.kubectl("delete", "pod", pod)

    def again() -> bool:
        found = own.kubectl("get", "pod", pod, "--output", "json", code=None)
        if found.code:
            return False
        ready = {one["type"]: one["status"] for one in found.document.get("status", {}).get("conditions", ())}.get("Ready")
        return bool(found.document["metadata"]["uid"] != before and ready == "True")

    wait_until(again, "ClickHouse runs on a new volume", 120)


@pytest.mark.timeout(2400)
def test_what_was_kept_can_be_read_the_next_day_and_goes_with_a_plain_down(own: Platform) -> None:
    _interrupted_and_killed(own)
    no_secrets.holds_no_key(own)
    no_secrets.answers(own)
    traced = own.verify("litellm.chat", "langfuse.trace", "models", "sign_in").checks["langfuse.trace"]["evidence"]
    found = re.match(r"trace ([0-9a-f]+):", traced)
    assert found, traced
    litellm, langfuse = own.variables["OPENAI_BASE_URL"].removesuffix("/v1"), own.variables["LANGFUSE_HOST"]
    bearer = {"Authorization": f"Bearer {own.variables['OPENAI_API_KEY']}"}
    with own.http(litellm, headers=bearer) as http:
        key = http.post("/key/generate", json={"key_alias": "yesterday"}).raise_for_status().json()["key"]
    before = identity(own)
    # AWS upgrades the database in the course of weeks; the region's default, which a new one would get, lags behind.
    own.aws("rds").modify_db_cluster(DBClusterIdentifier="genai-sandbox", EngineVersion="16.11", ApplyImmediately=True)

    ended = own.run("down", "--keep-data", "--yes")
    evening = ended.document
    assert (evening["ok"], evening["leftovers"]) == (True, [])
    assert {id: step["outcome"] for id, step in ended.steps.items() if id in KEPT_WITH_DATA} == dict.fromkeys(KEPT_WITH_DATA, "retained")
    retained = " ".join(evening["retained"])
    for what in ("-langfuse-", "-clickhouse-", "/platform", "-kept-", "USD a month"):
        assert what in retained
    status = own.run("status").steps
    assert status["infra.storage"]["state"] == "present"
    assert status["infra.cluster"]["state"] == status["langfuse.chart"]["state"] == "absent"
    assert "kept in the snapshot" in status["infra.data"]["evidence"]
    assert "kept in backup/" in status["langfuse.traces"]["evidence"]
    audit = own.run("audit").document
    assert (audit["leftovers"], audit["unseen"]) == ([], [])

    own.run("sandbox", "stop")
    no_secrets.another_issuer(own)
    morning = own.up().steps
    assert (morning["azure.model_access"]["outcome"], morning["azure.sign_in"]["outcome"]) == ("done", "present")
    no_secrets.trusts_this_cluster_alone(own)
    no_secrets.holds_no_key(own)
    no_secrets.answers(own)
    assert morning["infra.storage"]["outcome"] == morning["infra.secrets"]["outcome"] == "present"
    assert "read back from backup/" in morning["langfuse.traces"]["evidence"]
    assert own.aws("rds").describe_db_clusters(DBClusterIdentifier="genai-sandbox")["DBClusters"][0]["EngineVersion"] == "16.11"
    pair = (own.variables["LANGFUSE_PUBLIC_KEY"], own.variables["LANGFUSE_SECRET_KEY"])
    with own.http(langfuse, auth=pair) as http:
        trace = http.get(f"/api/public/traces/{found[1]}").raise_for_status().json()
        assert len(trace["observations"]) > 0
    with own.http(litellm, headers={"Authorization": f"Bearer {key}"}) as http:
        assert http.get("/v1/models").status_code == 200
    assert identity(own) == before
    assert own.run("chat", "--caller", CALLER, "日本の首都はどこですか。").document["text"]

    # A day with a lost volume. Nobody runs `up`; the next chart line is already configured in the evening.
    lose_the_volume(own)
    seen = own.run("status", "--drift").steps
    assert {id: step["state"] for id, step in seen.items() if step["state"] != "present"} == {"langfuse.traces": "drifted"}
    assert "no tables" in seen["langfuse.traces"]["evidence"]
    before_the_change = own.pods()
    for command in (("plan",), ("up", "--yes")):
        refused = own.run(*command, sets=LINE_2, code=2)
        assert "genai down --keep-data" in refused.document["error"]["remedy"]
    assert own.pods() == before_the_change
    own.run("down", "--keep-data", "--yes", sets=LINE_2)

    no_secrets.configure(own, no_secrets.ENTRA, no_secrets.BEDROCK)
    third = own.up(sets=LINE_2).steps
    assert third["azure.unconfigured"]["outcome"] == "done"
    assert "removed 2 applications" in third["azure.unconfigured"]["evidence"]
    assert "read back from backup/" in third["langfuse.traces"]["evidence"]
    assert {one["kind"] for one in own.objects("clickhouseclusters,keeperclusters")["items"]} == {"ClickHouseCluster", "KeeperCluster"}
    with own.http(langfuse, auth=pair) as http:
        assert http.get("/api/public/health").json()["version"] == "4.4.0"
        assert http.get(f"/api/public/traces/{found[1]}").status_code == 404
        wait_until(
            lambda: http.get("/api/public/v2/observations", params={"traceId": found[1]}).raise_for_status().json()["data"],
            "the first trace is there after a lost volume and in the next chart line",
        )
    verified = own.verify(sets=LINE_2)
    assert {check["status"] for check in verified.checks.values()} == {"pass"}, str(verified)

    no_secrets.configure(own, no_secrets.BEDROCK)
    ended = own.down(sets=LINE_2)
    assert "removed 2 role assignments, 1 application" in ended.steps["azure.unconfigured"]["evidence"]
    last = ended.document
    assert (last["ok"], last["leftovers"], last["retained"]) == (True, [], [])
    assert not (own.folder / ".genai" / "sandbox" / "world").exists()
