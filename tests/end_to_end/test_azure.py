"""The whole chain: a caller's client credentials, API Management, LiteLLM, the model. On the session's platform."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.end_to_end.conftest import Platform, wait_until

CALLER = "team-a"


@pytest.fixture(scope="module")
def means(platform: Platform) -> dict[str, str]:
    """What ``genai azure env`` says."""
    found: dict[str, str] = platform.run("azure", "env", "--caller", CALLER).document["variables"]
    return found


@pytest.fixture
def client(platform: Platform, means: dict[str, str]) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK as it comes, with a caller's token."""
    bearer = platform.run("token", "--caller", CALLER).document["token"]
    with platform.http(means["APIM_URL"]) as http:
        yield openai.OpenAI(base_url=f"{means['APIM_URL']}/v1", api_key=bearer, http_client=http, max_retries=0)


def test_every_azure_check_passes(platform: Platform) -> None:
    checks = platform.verify("azure.*").checks
    assert {check["status"] for check in checks.values()} == {"pass"}
    assert len(checks) == 15


def test_the_openai_sdk_works_unmodified(client: openai.OpenAI) -> None:
    question: Any = [{"role": "user", "content": "日本の首都はどこですか。"}]
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini"]  # of all models, the caller's
    assert client.chat.completions.create(model="gpt-4o-mini", messages=question).choices[0].message.content
    pieces = client.chat.completions.create(model="gpt-4o-mini", messages=question, stream=True)
    assert sum(1 for piece in pieces if piece.choices and piece.choices[0].delta.content) > 1
    assert client.responses.create(model="gpt-4o-mini", input="日本の首都はどこですか。").output_text
    with pytest.raises(openai.APIStatusError) as refused:
        client.embeddings.create(model="text-embedding-3-small", input="東京")  # a model the caller may not use
    assert refused.value.status_code in (400, 401, 403)


def test_the_handbooks_curl(platform: Platform, means: dict[str, str]) -> None:
    script = """
    set -e
    token=$(curl -sf "https://login.microsoftonline.com/$TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
      -d client_id="$CLIENT_ID" --data-urlencode client_secret="$CLIENT_SECRET" --data-urlencode scope="$SCOPE" \
      | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
    curl -sf "$APIM_URL/v1/chat/completions" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
      -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "日本の首都はどこですか。"}]}'
    """
    environment = {"PATH": os.environ["PATH"], **means}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"chat.completion"' in done.stdout


def test_rotation_keeps_spend_and_loses_no_request(platform: Platform, client: openai.OpenAI) -> None:
    before = platform.run("keys", "show", CALLER).document["keys"][0]
    assert platform.run("keys", "rotate", CALLER).document["rotated"]["old"] == before["alias"]
    after = platform.run("keys", "show", CALLER).document["keys"][0]
    assert after["alias"] != before["alias"]
    assert (after["spend"] or 0) >= (before["spend"] or 0)
    assert client.models.list().data


def test_revocation_closes_both_entrances_and_is_undone_by_reinstating_only(platform: Platform) -> None:
    revoked = platform.run("keys", "revoke", CALLER, "--yes").document
    assert revoked["keys"][0]["state"] == "revoked"
    assert set(revoked["closed_seconds"]) == {"API Management", "the load balancer"}
    assert max(revoked["closed_seconds"].values()) <= 60
    try:
        assert platform.run("keys", "issue", CALLER, code=None).code == 1
    finally:
        assert platform.run("keys", "issue", CALLER, "--reinstate").document["keys"][0]["state"] == "active"
    # A role assignment and a secret take a moment to be known everywhere.
    wait_until(lambda: platform.run("chat", "--caller", CALLER, "again?", code=None).code == 0, "the reinstated caller is served", 60)
