"""Interrupted, killed, gone on with, stopped, saved, restored, removed: the whole life of a sandbox."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.end_to_end import others
from tests.end_to_end.conftest import Platform, wait_until
from tests.end_to_end.processes import listening, processes_of, started


@pytest.mark.timeout(1500)
def test_a_platform_s_life_with_interruptions(tmp_path: Path) -> None:
    own = Platform(tmp_path)
    try:
        _interrupted_and_killed(own)
        _stopped_and_started(own)
        _saved_and_restored(own)
        _removed(own)
    finally:
        own.run("sandbox", "remove", "--yes", code=None)


def _interrupted_and_killed(own: Platform) -> None:
    with started(own, "up") as (process, until):
        until("infra.data", "creating")
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


def _chat(own: Platform, session: str) -> bool:
    """Whether a chat is answered."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "metadata": {"session_id": session}}
    with (
        own.http(own.variables["OPENAI_BASE_URL"], headers={"Authorization": f"Bearer {own.variables['OPENAI_API_KEY']}"}) as http,
        contextlib.suppress(httpx.TransportError),
    ):
        return http.post("chat/completions", json=body).status_code == 200
    return False


def _traces(own: Platform, session: str) -> list[Any]:
    user = (own.variables["LANGFUSE_PUBLIC_KEY"], own.variables["LANGFUSE_SECRET_KEY"])
    with own.http(own.variables["LANGFUSE_HOST"], auth=user) as http:
        answer = http.get("/api/public/traces", params={"sessionId": session})
    found: list[Any] = answer.json()["data"] if answer.status_code == 200 else []
    return found


def _stopped_and_started(own: Platform) -> None:
    """One step away and back; then everything stopped: what was written is read again."""
    torn = own.run("teardown", "litellm.proxy", "--yes").steps
    assert {id: step["outcome"] for id, step in torn.items()} == {"azure.callers": "done", "litellm.proxy": "done"}
    assert own.run("litellm").steps["litellm.proxy"]["outcome"] == "done"
    assert _chat(own, "before-the-stop")
    wait_until(lambda: _traces(own, "before-the-stop"), "the chat is traced")
    (azure,) = [part for part in own.run("sandbox", "status", sandbox=False).document["parts"] if part["name"] == "azure"]
    killed = psutil.Process(azure["pid"])
    killed.kill()
    killed.wait(10)
    assert "these parts have ended: azure; run: genai up --sandbox" in own.run("status").err
    assert own.up("--only", "azure.group").document["ok"]  # the parts are started whatever is chosen
    revision = own.revision()
    own.run("sandbox", "stop", sandbox=False)
    assert processes_of(own.folder) == []
    assert own.run("status", code=3).document["error"]["id"] == "sandbox.stopped"
    again = own.up()
    assert {step["outcome"] for id, step in again.steps.items() if id.startswith("infra.")} == {"present"}, str(again)
    assert own.revision() == revision
    assert wait_until(lambda: _traces(own, "before-the-stop"), "the trace from before the stop")


def _saved_and_restored(own: Platform) -> None:
    file = own.folder / "saved.tar"
    own.run("sandbox", "save", str(file), sandbox=False)
    own.run("sandbox", "remove", "--yes", sandbox=False)
    own.run("sandbox", "restore", str(file), sandbox=False)
    wait_until(lambda: _traces(own, "before-the-stop"), "the trace from before the restore")
    wait_until(lambda: _chat(own, "after-the-restore"), "a chat through the restored LiteLLM", limit=200)
    assert own.verify().document["passed"]


def _a_webhook_that_nobody_serves_is_named(own: Platform) -> None:
    command = "kubectl delete validatingwebhookconfiguration demo-policy"
    seen = own.run("status").document
    assert seen["next"] == command
    unknown = [step["evidence"] for step in seen["steps"] if step["state"] == "unknown"]
    assert unknown
    assert all(command in one and "could not apply" not in one for one in unknown)
    assert command in own.run("litellm", "--only", "config", code=1).steps["litellm.config"]["remedy"]


def _removed(own: Platform) -> None:
    """What others put in goes, too. ``down`` with a leftover keeps the sandbox; with nothing left, nothing runs and nothing listens."""
    place = json.loads((own.folder / ".genai" / "sandbox" / "world" / "place.json").read_text())
    aws = own.aws("logs")
    aws.create_log_group(logGroupName="/aws/eks/genai-sandbox/left")
    others.put_in(own)
    _a_webhook_that_nobody_serves_is_named(own)
    first = own.down(code=1)
    assert {one["name"] for one in first.document["foreign"]} == others.NAMES
    assert others.left_in(own) == {"clusters": [], "balancers": [], "gateways": [], "volumes": [], "profiles": []}
    assert "left to the cluster's end: Widget demo/held" in first.steps["infra.cluster"]["evidence"]
    assert [one["id"] for one in first.document["leftovers"]] == ["/aws/eks/genai-sandbox/left"]
    assert {step["outcome"] for step in first.steps.values()} <= {"done", "absent"}
    assert "no such host" in own.tool("kubectl", "get", "namespaces", code=1).err, "the cluster and its endpoint's name are gone"
    aws.delete_log_group(logGroupName="/aws/eks/genai-sandbox/left")
    own.down()
    assert processes_of(own.folder) == []
    assert listening(place["network"], list(place["ports"].values())) == []
    assert not (own.folder / ".genai" / "sandbox" / "world").exists()
    assert "nothing to remove" in own.down().err
