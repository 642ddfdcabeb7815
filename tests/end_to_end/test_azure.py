"""The whole chain: a caller's client credentials, API Management, LiteLLM, the model. On the session's platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

from genai_platform.sandbox.azure import openai_part
from genai_platform.sandbox.layout import SandboxLayout
from tests.end_to_end.conftest import GENAI, Platform, wait_until

CALLER = "team-a"


@pytest.fixture(scope="module")
def means(platform: Platform) -> Iterator[dict[str, str]]:
    """What ``genai azure env`` says, exported as a shell would."""
    found: dict[str, str] = platform.run("azure", "env", "--caller", CALLER).document["variables"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


def _msal(means: dict[str, str]) -> str:
    import msal

    application = msal.ConfidentialClientApplication(
        means["CLIENT_ID"],
        client_credential=means["CLIENT_SECRET"],
        authority=f"{means['AUTHORITY']}/{means['TENANT_ID']}",
        instance_discovery=False,
    )
    return str(application.acquire_token_for_client(scopes=[means["SCOPE"]])["access_token"])


def _azure_identity(means: dict[str, str]) -> Callable[[], str]:
    from azure.identity import ClientSecretCredential, get_bearer_token_provider

    credential = ClientSecretCredential(
        means["TENANT_ID"],
        means["CLIENT_ID"],
        means["CLIENT_SECRET"],
        authority=means["AUTHORITY"],
        disable_instance_discovery=True,
        connection_verify=means["SSL_CERT_FILE"],
    )
    return get_bearer_token_provider(credential, means["SCOPE"])


@pytest.fixture(params=[_msal, _azure_identity], ids=["msal", "azure-identity"])
def client(request: pytest.FixtureRequest, platform: Platform, means: dict[str, str]) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK as it comes, with a token that Microsoft's own libraries got."""
    with platform.http(means["APIM_URL"]) as http:
        yield openai.OpenAI(base_url=f"{means['APIM_URL']}/v1", api_key=request.param(means), http_client=http, max_retries=0)


def test_every_azure_check_passes(platform: Platform) -> None:
    checks = platform.verify("azure.*").checks
    assert {check["status"] for check in checks.values()} == {"pass"}
    assert len(checks) == 16


def test_the_openai_sdk_works_unmodified(client: openai.OpenAI) -> None:
    question: Any = [{"role": "user", "content": "日本の首都はどこですか。"}]
    # Of all models, the caller's.
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini", "text-embedding-3-small"]
    assert client.chat.completions.create(model="gpt-4o-mini", messages=question).choices[0].message.content
    pieces = client.chat.completions.create(model="gpt-4o-mini", messages=question, stream=True)
    assert sum(1 for piece in pieces if piece.choices and piece.choices[0].delta.content) > 1
    assert client.responses.create(model="gpt-4o-mini", input="日本の首都はどこですか。").output_text
    assert len(client.embeddings.create(model="text-embedding-3-small", input="東京").data[0].embedding) > 1
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="gpt-4o", messages=question)  # a model the caller may not use


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


def test_a_door_that_demands_no_header_is_seen_and_its_advice_mends_it(platform: Platform) -> None:
    platform.kubectl("annotate", "ingress", "litellm-gateway", "alb.ingress.kubernetes.io/conditions.litellm-")
    broken = platform.verify("azure.refuses.direct", limit=6, code=1).checks["azure.refuses.direct"]
    assert "no header gets 401" in broken["evidence"]
    assert "genai azure --only ingress" in broken["hint"]
    assert platform.run("azure", "--only", "ingress").steps["azure.ingress"]["outcome"] == "done"
    assert platform.verify("azure.refuses.direct").document["passed"]


def test_a_regenerated_key_of_the_models_is_not_taken_for_the_callers(platform: Platform, client: openai.OpenAI) -> None:
    """LiteLLM answers 401 for its own refusals and for the provider's: only its headers tell them apart."""
    layout = SandboxLayout.open(platform.folder / ".genai" / "sandbox" / "world")
    before, question = openai_part.key_file(layout).read_text(), [{"role": "user", "content": "x"}]

    def ask() -> int:
        try:
            client.chat.completions.create(model="gpt-4o-mini", messages=question)  # type: ignore[arg-type]
        except openai.APIStatusError as error:
            return error.status_code
        return 200

    openai_part.regenerate_key(layout)
    try:
        with pytest.raises(openai.InternalServerError, match="Your token and your key are good") as refused:
            client.chat.completions.create(model="gpt-4o-mini", messages=question)  # type: ignore[arg-type]
        assert refused.value.status_code == 502
        assert not [name for name in refused.value.response.headers if name.startswith(("x-litellm-", "llm_provider-"))]
    finally:
        openai_part.key_file(layout).write_text(before)
    wait_until(lambda: ask() == 200, "the deployment's cooldown ends", 30, 1)


def test_a_request_is_traced_under_its_caller_and_booked_on_its_key(platform: Platform, means: dict[str, str]) -> None:
    before = platform.run("keys", "show", CALLER).document["keys"][0]
    answered = platform.run("chat", "--caller", CALLER, "日本の首都はどこですか。").document
    user = (platform.variables["LANGFUSE_PUBLIC_KEY"], platform.variables["LANGFUSE_SECRET_KEY"])
    with platform.http(platform.variables["LANGFUSE_HOST"], auth=user) as http:

        def traced() -> Any:
            found = http.get("/api/public/traces", params={"userId": means["CLIENT_ID"]}).json()["data"]
            return [one for one in found if answered["text"] in json.dumps(one.get("output"), ensure_ascii=False)]

        wait_until(traced, "the trace that carries the caller", 60)

    def booked() -> bool:
        return bool((platform.run("keys", "show", CALLER).document["keys"][0]["spend"] or 0) > (before["spend"] or 0))

    wait_until(booked, "the spend of the caller grows", 60, 2)


def test_rotation_under_load_keeps_spend_and_loses_no_request(platform: Platform, means: dict[str, str]) -> None:
    before = platform.run("keys", "show", CALLER).document["keys"][0]
    bearer, done, answers = _msal(means), threading.Event(), list[int]()

    def load() -> None:
        with platform.http(means["APIM_URL"], headers={"Authorization": f"Bearer {bearer}"}) as http:
            while not done.is_set():
                answers.append(http.get("v1/models").status_code)

    callers = [threading.Thread(target=load) for _ in range(3)]
    for one in callers:
        one.start()
    try:
        rotated = platform.run("keys", "rotate", CALLER).document["rotated"]
        wait_until(lambda: len(answers) > 100, "the load goes on after the rotation")
    finally:
        done.set()
        for one in callers:
            one.join()
    assert rotated["old"] == before["alias"]
    assert set(answers) == {200}
    after = platform.run("keys", "show", CALLER).document["keys"][0]
    assert after["alias"] != before["alias"]
    assert (after["spend"] or 0) >= (before["spend"] or 0) > 0
    assert after["budget"] == before["budget"]


def test_many_callers_when_the_command_is_killed_in_the_middle(platform: Platform) -> None:
    """What was issued stays as it is; nobody gets a second key, and every budget is what was configured."""
    own = f'{CALLER}={{models=["gpt-4o-mini","text-embedding-3-small"],max_budget=50,budget_duration="30d"}}'
    callers = ",".join([own, *(f'c{number:03}={{models=["gpt-4o-mini"],max_budget=5,budget_duration="30d"}}' for number in range(60))])
    many = Platform(platform.folder, sets=(f"azure.callers={{{callers}}}",))

    def listed() -> dict[str, Any]:
        return {key["caller"]: key for key in many.run("keys", "list").document["keys"]}

    try:
        with started(many, "keys", "issue") as process:
            assert process.stdout is not None
            for line in process.stdout:
                made = re.search(r"callers: (\d+)/", line)
                if made and int(made[1]) >= 20:
                    break
            process.kill()
        before = listed()
        assert {key["state"] for key in before.values()} == {"active", "missing"}
        many.run("keys", "issue")
        after = listed()
        assert {key["state"] for key in after.values()} == {"active"}
        assert len({key["alias"] for key in after.values()}) == len({key["client_id"] for key in after.values()}) == 61
        assert {name: key["alias"] for name, key in before.items() if key["state"] == "active"}.items() <= {
            name: key["alias"] for name, key in after.items()
        }.items()
        assert {key["budget"] for name, key in after.items() if name != CALLER} == {5}
        assert after[CALLER] == before[CALLER]
        held = _aliases_in_litellm(platform)
        assert all(sum(alias.startswith(after[name]["client_id"]) for alias in held) == 1 for name in after if name != CALLER)
    finally:
        # The configuration is the only list of callers: whoever is not in it goes.
        platform.run("azure", "--only", "callers")
    gone = {key["client_id"] for name, key in after.items() if name != CALLER}
    assert not [alias for alias in _aliases_in_litellm(platform) if alias.partition(".")[0] in gone]


def _aliases_in_litellm(platform: Platform) -> list[str]:
    """The aliases of all virtual keys."""
    bearer = {"Authorization": f"Bearer {platform.variables['OPENAI_API_KEY']}"}
    found: list[str] = []
    with platform.http(platform.variables["OPENAI_BASE_URL"].removesuffix("/v1"), headers=bearer) as http:
        for page in count(1):
            wanted = {"page": page, "size": 100, "return_full_object": "true"}
            keys = http.get("/key/list", params=wanted).raise_for_status().json()["keys"]
            found += [str(key["key_alias"]) for key in keys]
            if len(keys) < 100:
                break
    return found


@contextmanager
def started(platform: Platform, *words: str) -> Iterator[subprocess.Popen[str]]:
    """``genai`` at work, with its lines."""
    options = [option for one in platform.sets for option in ("--set", one)]
    process = subprocess.Popen(
        [str(GENAI), *words, "--sandbox", "--plain", *options], cwd=platform.folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_microsofts_libraries_read_back_what_was_made(platform: Platform, means: dict[str, str]) -> None:
    from azure.identity import EnvironmentCredential
    from azure.keyvault.secrets import SecretClient
    from azure.mgmt.apimanagement import ApiManagementClient
    from azure.mgmt.keyvault import KeyVaultManagementClient

    found = platform.variables
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            if name.startswith("AZURE_"):
                patch.setenv(name, value)
        credential = EnvironmentCredential(disable_instance_discovery=True, connection_verify=found["SSL_CERT_FILE"])
    arm: dict[str, Any] = {
        "base_url": found["AZURE_RESOURCE_MANAGER_URL"],
        "credential_scopes": ["https://management.azure.com/.default"],
        "connection_verify": found["SSL_CERT_FILE"],
    }
    management = ApiManagementClient(credential, found["AZURE_SUBSCRIPTION_ID"], **arm)
    service = next(iter(management.api_management_service.list()))
    group = service.id.split("/")[4]
    api = next(iter(management.api.list_by_service(group, service.name)))
    operations = {(one.method, one.url_template) for one in management.api_operation.list_by_api(group, service.name, api.name)}
    assert ("POST", "/v1/chat/completions") in operations
    assert not any("*" in template for _, template in operations)
    policy = management.api_policy.get(group, service.name, api.name, "policy").value
    assert "<validate-jwt" in policy
    vaults = KeyVaultManagementClient(credential, found["AZURE_SUBSCRIPTION_ID"], **arm)
    vault = next(iter(vaults.vaults.list_by_resource_group(group)))
    assert vault.properties.enable_rbac_authorization
    with SecretClient(vault.properties.vault_uri, credential, transport=_local(found["SSL_CERT_FILE"])) as secrets:
        kept = secrets.get_secret(f"litellm-{means['CLIENT_ID']}")
    assert (kept.value or "").startswith("sk-")
    assert kept.value not in policy


def _local(bundle: str) -> Any:
    """azure-core's own transport; resolvers need not know names under ``localhost``, so they are told."""
    from genai_platform.config.endpoints import AwsEndpoints, Endpoints
    from genai_platform.tools.azure.transport import transport

    return transport(Endpoints(aws=AwsEndpoints(url="http://127.0.0.1"), ca_bundle=Path(bundle)))


def test_revocation_closes_both_entrances_and_is_undone_by_reinstating_only(platform: Platform, means: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {_msal(means)}"}
    revoked = platform.run("keys", "revoke", CALLER, "--yes").document
    assert revoked["keys"][0]["state"] == "revoked"
    assert set(revoked["closed_seconds"]) == {"API Management", "the load balancer"}
    assert None not in revoked["closed_seconds"].values(), "each refused what it took before"
    try:
        with platform.http(means["APIM_URL"], headers=bearer) as http:
            assert http.get("v1/models").status_code in (401, 403), "a token from before the revocation is of no use"
        assert platform.run("keys", "issue", CALLER, code=None).code == 1
    finally:
        assert platform.run("keys", "issue", CALLER, "--reinstate").document["keys"][0]["state"] == "active"
    # A role assignment and a secret take a moment to be known everywhere.
    wait_until(lambda: platform.run("chat", "--caller", CALLER, "again?", code=None).code == 0, "the reinstated caller is served", 60)
