"""A platform that nobody gave a secret: models asked as an Entra application or with an IAM role, people who sign in with Entra ID."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

from genai_platform.sandbox.azure import openai_part
from genai_platform.sandbox.azure.arm_cognitive_accounts import KIND
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.layout import SandboxLayout
from tests.end_to_end.conftest import Platform, wait_until

CALLER = "team-a"
MODELS = ("gpt-4o-mini", "claude-haiku")
SIGN_IN = """
[litellm]
sign_in = "entra"

[langfuse]
sign_in = "entra"
user_email = "anna@example.com"

[sign_in]
people = ["anna@example.com"]
"""
ENTRA = """
[[litellm.models]]
name = "gpt-4o-mini"
azure_deployment = "gpt-4o-mini"
api_base = "https://acme-east.openai.azure.com"
auth = "entra"

[[litellm.models]]
name = "text-embedding-3-small"
azure_deployment = "text-embedding-3-small"
mode = "embedding"
api_base = "https://acme-west.openai.azure.com"
auth = "entra"
"""
BEDROCK = """
[[litellm.models]]
name = "claude-haiku"
provider = "bedrock"
model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
region = "us-east-1"

[azure.callers.team-a]
max_budget = 50
budget_duration = "30d"
"""
_TRUST = "federatedCredentials"
_SMALLEST = 16
"""Characters of a key that is looked for."""


def configure(platform: Platform, *tables: str) -> None:
    """Write what is configured from now on."""
    (platform.folder / "genai.toml").write_text("".join(tables))


# -- chats ----------------------------------------------------------------------------------------
def answers(platform: Platform) -> None:
    """Each model answers the caller through API Management, whole and streamed; the chat is traced and booked as the caller's."""
    means: dict[str, str] = platform.run("azure", "env", "--caller", CALLER).document["variables"]
    address, caller = means["APIM_URL"], means["CLIENT_ID"]
    with platform.http(address) as http:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key=_token(platform, means), http_client=http, max_retries=0)
        for model in MODELS:
            question = f"{model}: 日本の首都はどこですか。"
            messages: Any = [{"role": "user", "content": question}]
            answer = client.chat.completions.create(model=model, messages=messages)
            assert question in str(answer.choices[0].message.content)
            pieces = client.chat.completions.create(model=model, messages=messages, stream=True)
            assert sum(1 for piece in pieces if piece.choices and piece.choices[0].delta.content) > 1
            _booked(platform, caller, answer.id, model)
            _traced(platform, caller, question)


def _token(platform: Platform, means: dict[str, str]) -> str:
    form = {"grant_type": "client_credentials", "scope": means["SCOPE"], "client_id": means["CLIENT_ID"]}
    with platform.http(means["AUTHORITY"]) as http:
        answer = http.post(f"/{means['TENANT_ID']}/oauth2/v2.0/token", data=form | {"client_secret": means["CLIENT_SECRET"]})
        return str(answer.raise_for_status().json()["access_token"])


def _booked(platform: Platform, caller: str, id: str, model: str) -> None:
    bearer = {"Authorization": f"Bearer {platform.variables['OPENAI_API_KEY']}"}
    with platform.http(platform.variables["OPENAI_BASE_URL"].removesuffix("/v1"), headers=bearer) as http:
        (row,) = wait_until(lambda: http.get("/spend/logs", params={"request_id": id}).raise_for_status().json(), f"{id} is booked", 120)
    assert (row["user"], row["model_group"]) == (caller, model)
    assert row["spend"] > 0


def _traced(platform: Platform, caller: str, question: str) -> None:
    pair = (platform.variables["LANGFUSE_PUBLIC_KEY"], platform.variables["LANGFUSE_SECRET_KEY"])
    with platform.http(platform.variables["LANGFUSE_HOST"], auth=pair) as http:

        def traced() -> bool:
            found = http.get("/api/public/traces", params={"userId": caller, "limit": 50}).raise_for_status().json()["data"]
            return any(question in json.dumps(one["input"], ensure_ascii=False) for one in found)

        wait_until(traced, f"the chat is traced under the caller: {question}", 120)


# -- trust ---------------------------------------------------------------------------------------
def another_issuer(platform: Platform) -> None:
    """The next cluster signs under another address, as on EKS. The sandbox is stopped."""
    file = _world(platform) / "place.json"
    place = json.loads(file.read_text())
    file.write_text(json.dumps(place | {"issuer": f"{int(place['issuer'], 16) ^ 1:032X}"}))


def trusts_this_cluster_alone(platform: Platform) -> None:
    """Entra ID takes tokens of the cluster that exists now, and of no other."""
    issuer = platform.aws("eks").describe_cluster(name="genai-sandbox")["cluster"]["identity"]["oidc"]["issuer"]
    with _directory(platform) as store:
        assert {one["issuer"] for one in store.all(_TRUST) if not one.get("_deleted")} == {issuer}


def _world(platform: Platform) -> Path:
    return platform.folder / ".genai" / "sandbox" / "world"


@contextmanager
def _directory(platform: Platform) -> Iterator[Store]:
    """What the sandbox's tenant and subscription hold."""
    store = Store(SandboxLayout.open(_world(platform)).azure.root / "azure" / "world.sqlite")
    try:
        yield store
    finally:
        store.close()


# -- keys -----------------------------------------------------------------------------------------
def holds_no_key(platform: Platform) -> None:
    """No key of a model is stored for the platform, and none of any account that exists lies where it could be read."""
    kept = json.loads(_secrets_manager(platform)["genai-sandbox/platform"])
    assert kept["upstream_keys"] == {}
    keys = {form for key in _existing_keys(platform) for form in (key, base64.b64encode(key.encode()).decode().rstrip("="))}
    assert keys
    places = dict(_files(platform)) | _secrets_manager(platform)
    places |= {
        kind: platform.kubectl("get", kind, "--all-namespaces", "--output", "json").out for kind in ("secrets", "configmaps", "pods")
    }
    assert {"terraform/cluster/terraform.tfstate", "genai-sandbox/platform", "secrets"} <= set(places)
    assert [place for place, text in places.items() if any(key in text for key in keys)] == []


def _existing_keys(platform: Platform) -> set[str]:
    """The keys of every account of the sandbox."""
    with _directory(platform) as store:
        keys = {key for one in store.all("arm") if one["type"] == KIND for key in one["_keys"]}
    one_for_all = openai_part.key_file(SandboxLayout.open(_world(platform))).read_text().strip()
    return {key for key in (*keys, one_for_all) if len(key) >= _SMALLEST}


def _secrets_manager(platform: Platform) -> dict[str, str]:
    client = platform.aws("secretsmanager")
    names = [one["Name"] for page in client.get_paginator("list_secrets").paginate() for one in page["SecretList"]]
    return {name: client.get_secret_value(SecretId=name)["SecretString"] for name in names}


def _files(platform: Platform) -> Iterator[tuple[str, str]]:
    """Terraform's states, variables and plans, and the journal. ``world`` is the cloud itself."""
    folder = platform.folder / ".genai" / "sandbox"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] != "world" and "providers" not in name.parts and path.is_file():
            yield str(name), path.read_bytes().decode("latin-1")
