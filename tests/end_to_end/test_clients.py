"""Programs that this project did not write talk to the running sandbox, with nothing but what `genai sandbox env` prints."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.conftest import GENAI, NAMESPACE, Platform, wait_until

SENTENCE = "こんにちは。自己紹介をしてください。"
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "from-outside", "namespace": NAMESPACE},
    "data": {"greeting": SENTENCE},
}


# -- a shell, aws, terraform, helm ----------------------------------------------------------------
def test_a_shell_evaluates_the_exports(platform: Platform) -> None:
    """Also where another identity is at hand: ours wins."""
    script = f'export AWS_PROFILE=mine; eval "$({GENAI} sandbox env)"; aws sts get-caller-identity --output json; echo "$AWS_PROFILE|"'
    done = subprocess.run(["sh", "-c", script], cwd=platform.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[: done.stdout.rindex("}") + 1])["Account"].isdigit()
    assert done.stdout.endswith("\n|\n")


def test_aws_sees_what_was_built(platform: Platform) -> None:
    cluster = platform.tool("aws", "eks", "describe-cluster", "--name", "genai-sandbox", "--output", "json").document["cluster"]
    assert cluster["status"] == "ACTIVE"
    names = platform.tool("aws", "s3api", "list-buckets", "--output", "json").document["Buckets"]
    bucket = next(one["Name"] for one in names if one["Name"].startswith("genai-sandbox-langfuse-"))
    try:
        platform.tool("aws", "s3", "cp", "-", f"s3://{bucket}/from-outside/hello", text=SENTENCE)
        assert platform.tool("aws", "s3", "cp", f"s3://{bucket}/from-outside/hello", "-").out == SENTENCE
    finally:
        # Every version: a bucket is found as it was left.
        versions = platform.aws("s3").list_object_versions(Bucket=bucket, Prefix="from-outside/").get("Versions", [])
        for version in versions:
            platform.aws("s3").delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_terraform_finds_nothing_to_change(platform: Platform) -> None:
    folder = platform.folder / ".genai" / "sandbox" / "terraform" / "cluster"
    done = platform.tool("terraform", f"-chdir={folder}", "plan", "-detailed-exitcode", "-input=false", "-no-color", "-lock=false")
    assert "No changes" in done.out


def test_helm_lists_the_release(platform: Platform) -> None:
    releases = json.loads(platform.tool("helm", "list", "--namespace", NAMESPACE, "--output", "json").out)
    assert [(one["name"], one["status"]) for one in releases] == [("langfuse", "deployed")]
    status = platform.tool("helm", "status", "langfuse", "--namespace", NAMESPACE, "--output", "json").document
    assert status["info"]["status"] == "deployed"
    assert "langfuse" in platform.tool("helm", "get", "manifest", "langfuse", "--namespace", NAMESPACE).out


# -- kubectl --------------------------------------------------------------------------------------
def test_kubectl_reads(platform: Platform) -> None:
    workloads = platform.objects("deployments,statefulsets")["items"]
    assert {"litellm", "langfuse-web", "langfuse-worker", "langfuse-clickhouse-shard0"} <= {one["metadata"]["name"] for one in workloads}
    assert "Replicas:" in platform.kubectl("describe", "deployment", "litellm").out
    assert platform.kubectl("logs", "deployment/litellm", "--tail", "5").out.strip()
    platform.kubectl("rollout", "status", "deployment/litellm", "--timeout=60s")
    platform.kubectl("wait", "deployment/litellm", "--for=condition=Available", "--timeout=60s")


def test_kubectl_writes(platform: Platform) -> None:
    try:
        platform.kubectl("apply", "--filename=-", text=json.dumps(CONFIG_MAP))
        assert platform.objects("configmap", "from-outside")["data"]["greeting"] == SENTENCE
        platform.kubectl("annotate", "configmap", "from-outside", "note=seen")
        platform.kubectl("patch", "configmap", "from-outside", "--type=merge", "--patch", '{"data":{"greeting":"hello"}}')
        found = platform.objects("configmap", "from-outside")
        assert (found["data"]["greeting"], found["metadata"]["annotations"]["note"]) == ("hello", "seen")
    finally:
        platform.kubectl("delete", "configmap", "from-outside", "--ignore-not-found", "--wait")


def test_kubectl_restarts_a_workload(platform: Platform) -> None:
    before = {name for name in platform.pods() if name.startswith("langfuse-worker-")}
    platform.kubectl("rollout", "restart", "deployment/langfuse-worker")
    platform.kubectl("rollout", "status", "deployment/langfuse-worker", "--timeout=120s")
    wait_until(lambda: not before & set(platform.pods()), "the pod before is gone")
    platform.kubectl("rollout", "undo", "deployment/langfuse-worker")
    platform.kubectl("rollout", "status", "deployment/langfuse-worker", "--timeout=120s")


@pytest.mark.parametrize("words", [("exec", "deployment/litellm", "--", "true"), ("port-forward", "deployment/litellm", "14000:4000")])
def test_what_the_sandbox_cannot_do_is_refused_in_words(platform: Platform, words: tuple[str, ...]) -> None:
    refused = platform.kubectl(*words, code=None, timeout=30)
    assert refused.code != 0
    assert "sandbox" in refused.err.lower(), str(refused)


# -- OpenAI ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def openai(platform: Platform) -> Iterator[Any]:
    import ssl

    import httpx
    from openai import OpenAI

    trust = ssl.create_default_context(cafile=platform.variables["SSL_CERT_FILE"])
    with httpx.Client(verify=trust, trust_env=False) as http:
        yield OpenAI(base_url=platform.variables["OPENAI_BASE_URL"], api_key=platform.variables["OPENAI_API_KEY"], http_client=http)


def test_openai_lists_the_models(openai: Any) -> None:
    assert {model.id for model in openai.models.list()} == {"gpt-4o-mini", "gpt-4o", "text-embedding-3-small"}


def test_openai_chats(openai: Any) -> None:
    answer = openai.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": SENTENCE}])
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_openai_streams(openai: Any) -> None:
    pieces = [
        chunk.choices[0].delta.content
        for chunk in openai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": SENTENCE}], stream=True)
        if chunk.choices and chunk.choices[0].delta.content
    ]
    assert len(pieces) > 1


def test_openai_embeds(openai: Any) -> None:
    answer = openai.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert len(answer.data) == 2
    assert len(answer.data[0].embedding) == len(answer.data[1].embedding) > 0


def test_openai_is_refused_without_the_key(openai: Any) -> None:
    from openai import AuthenticationError

    with pytest.raises(AuthenticationError):
        openai.with_options(api_key="sk-wrong").models.list()


# -- Langfuse -------------------------------------------------------------------------------------
LANGFUSE = """
import sys
from langfuse import Langfuse, get_client
client = Langfuse()
assert client.auth_check()
with client.start_as_current_observation(name=sys.argv[1], as_type="generation", model="gpt-4o-mini", input=sys.argv[2]) as seen:
    seen.update(output="hello", usage_details={"input": 3, "output": 4})
    print(client.get_current_trace_id())
client.flush()
"""


def test_the_langfuse_sdk_traces_and_reads_back(platform: Platform) -> None:
    import sys

    name = f"outside-{uuid4()}"
    trace = platform.tool(sys.executable, "-c", LANGFUSE, name, SENTENCE).out.strip().splitlines()[-1]
    user = (platform.variables["LANGFUSE_PUBLIC_KEY"], platform.variables["LANGFUSE_SECRET_KEY"])
    with platform.http(platform.variables["LANGFUSE_HOST"], auth=user) as http:

        def read() -> Any:
            answer = http.get(f"/api/public/traces/{trace}")
            return answer.json() if answer.status_code == 200 and answer.json().get("observations") else None

        found = wait_until(read, "the trace can be read")
    assert found["observations"][0]["name"] == name
    assert SENTENCE in json.dumps(found["observations"][0]["input"], ensure_ascii=False)


FETCH = """
import sys, time
from langfuse import Langfuse
client = Langfuse()
print({one.trace_id for one in client.api.observations.get_many(trace_id=sys.argv[1]).data}.pop())
"""


def test_the_langfuse_sdk_fetches_a_trace_of_litellm(platform: Platform, openai: Any, tmp_path: Path) -> None:
    """What the proxy answered is in Langfuse, and the SDK's own reader understands it."""
    import sys

    session = f"outside-{uuid4()}"
    openai.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": SENTENCE}], extra_body={"metadata": {"session_id": session}}
    )
    user = (platform.variables["LANGFUSE_PUBLIC_KEY"], platform.variables["LANGFUSE_SECRET_KEY"])
    with platform.http(platform.variables["LANGFUSE_HOST"], auth=user) as http:
        found = wait_until(
            lambda: http.get("/api/public/traces", params={"sessionId": session}).json().get("data"), "the chat's trace is there"
        )
    assert platform.tool(sys.executable, "-c", FETCH, found[0]["id"]).out.strip() == found[0]["id"]
