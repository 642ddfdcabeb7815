"""The end of the platform that the tests of a session share, whatever they left in it: stopped, saved, restored, removed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.end_to_end import others
from tests.end_to_end.conftest import Platform, wait_until
from tests.end_to_end.processes import listening, processes_of
from tests.end_to_end.secret_values import kept, seen


def _chat(platform: Platform, session: str) -> bool:
    """Whether a chat is answered."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "metadata": {"session_id": session}}
    url, key = platform.variables["OPENAI_BASE_URL"], platform.variables["OPENAI_API_KEY"]
    with platform.http(url, headers={"Authorization": f"Bearer {key}"}) as http, contextlib.suppress(httpx.TransportError):
        return bool(http.post("chat/completions", json=body).status_code == 200)
    return False


def _traces(platform: Platform, session: str) -> list[Any]:
    user = (platform.variables["LANGFUSE_PUBLIC_KEY"], platform.variables["LANGFUSE_SECRET_KEY"])
    with platform.http(platform.variables["LANGFUSE_HOST"], auth=user) as http:
        answer = http.get("/api/public/traces", params={"sessionId": session})
    found: list[Any] = answer.json()["data"] if answer.status_code == 200 else []
    return found


def test_what_was_written_is_read_again_after_a_stop(platform: Platform, tmp_path: Path) -> None:
    """Everything stopped and started: what was written is read again, and no command prints a secret."""
    secrets, events = kept(platform), tmp_path / "events.jsonl"
    assert _chat(platform, "before-the-stop")
    wait_until(lambda: _traces(platform, "before-the-stop"), "the chat is traced")
    (azure,) = [part for part in platform.run("sandbox", "status", sandbox=False).document["parts"] if part["name"] == "azure"]
    killed = psutil.Process(azure["pid"])
    killed.kill()
    killed.wait(10)
    assert "these parts have ended: azure; run: genai up --sandbox" in platform.run("status").err
    assert platform.up("--only", "azure.group").document["ok"]  # the parts are started whatever is chosen
    revision = platform.revision()
    platform.run("sandbox", "stop", sandbox=False)
    assert processes_of(platform.folder) == []
    assert platform.run("status", code=3).document["error"]["id"] == "sandbox.stopped"
    again = platform.up("--verbose", "--events", str(events))
    assert {step["outcome"] for id, step in again.steps.items() if id.startswith("infra.")} == {"present"}, str(again)
    assert platform.revision() == revision
    assert seen(secrets, {"the document": again.out, "what people read": again.err, "the events": events.read_text()}) == []
    assert wait_until(lambda: _traces(platform, "before-the-stop"), "the trace from before the stop")


def test_a_saved_sandbox_is_restored(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar"
    platform.run("sandbox", "save", str(file), sandbox=False)
    platform.run("sandbox", "remove", "--yes", sandbox=False)
    platform.run("sandbox", "restore", str(file), sandbox=False)
    wait_until(lambda: _traces(platform, "before-the-stop"), "the trace from before the restore")
    wait_until(lambda: _chat(platform, "after-the-restore"), "a chat through the restored LiteLLM", limit=200)
    verified = platform.run("verify", "--verbose")
    assert verified.document["passed"]
    assert seen(kept(platform), {"the document": verified.out, "what people read": verified.err}) == []


def _a_webhook_that_nobody_serves_is_named(platform: Platform) -> None:
    command = "kubectl delete validatingwebhookconfiguration demo-policy"
    status = platform.run("status").document
    assert status["next"] == command
    unknown = [step["evidence"] for step in status["steps"] if step["state"] == "unknown"]
    assert unknown
    assert all(command in one and "could not apply" not in one for one in unknown)
    assert command in platform.run("litellm", "--only", "config", code=1).steps["litellm.config"]["remedy"]


def test_nothing_is_left(platform: Platform) -> None:
    """What others put in goes, too. ``down`` with a leftover keeps the sandbox; with nothing left, nothing runs and nothing listens."""
    place = json.loads((platform.folder / ".genai" / "sandbox" / "world" / "place.json").read_text())
    aws = platform.aws("logs")
    aws.create_log_group(logGroupName="/aws/eks/genai-sandbox/left")
    others.put_in(platform)
    _a_webhook_that_nobody_serves_is_named(platform)
    first = platform.down(code=1)
    assert {one["name"] for one in first.document["foreign"]} == others.NAMES
    assert others.left_in(platform) == {"clusters": [], "balancers": [], "gateways": [], "volumes": [], "profiles": []}
    assert "left to the cluster's end: Widget demo/held" in first.steps["infra.cluster"]["evidence"]
    assert [one["id"] for one in first.document["leftovers"]] == ["/aws/eks/genai-sandbox/left"]
    assert {step["outcome"] for step in first.steps.values()} <= {"done", "absent"}
    assert "no such host" in platform.tool("kubectl", "get", "namespaces", code=1).err, "the cluster and its endpoint's name are gone"
    aws.delete_log_group(logGroupName="/aws/eks/genai-sandbox/left")
    platform.down()
    assert processes_of(platform.folder) == []
    assert listening(place["network"], list(place["ports"].values())) == []
    assert not (platform.folder / ".genai" / "sandbox" / "world").exists()
    assert "nothing to remove" in platform.down().err
