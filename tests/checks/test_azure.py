"""Each azure check passes behind a gateway that works, and fails when what it guards is broken. The gateway is the real stand-in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse

from genai_platform.checks import azure, azure_refuses
from genai_platform.checks.check import Outcome
from genai_platform.checks.platform import FunctionCheck
from genai_platform.errors import GenaiError, StepError
from genai_platform.sandbox import pace
from genai_platform.tools.azure import token
from tests.checks.azure_platform import CALLER, MASTER, TENANT, VAULT, AzurePlatformWorld

CHECKS: dict[str, Callable[[Any], Outcome]] = {
    "azure.token": azure.token, "azure.chat": azure.chat, "azure.stream": azure.stream, "azure.key": azure.key,
    "azure.refuses.no_token": azure_refuses.no_token, "azure.refuses.garbage": azure_refuses.garbage,
    "azure.refuses.expired": azure_refuses.expired, "azure.refuses.audience": azure_refuses.audience,
    "azure.refuses.tenant": azure_refuses.tenant, "azure.refuses.role": azure_refuses.role,
    "azure.refuses.no_key": azure_refuses.no_key, "azure.refuses.vault_down": azure_refuses.vault_down,
    "azure.refuses.admin_routes": azure_refuses.admin_routes, "azure.refuses.subscription_key": azure_refuses.subscription_key,
    "azure.refuses.foreign_headers": azure_refuses.foreign_headers,
}  # fmt: skip
ONLY_PROBED = ("expired", "audience", "tenant", "role", "no_key", "vault_down")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzurePlatformWorld]:
    platform = AzurePlatformWorld(tmp_path_factory.mktemp("azure"))
    platform.start()
    yield platform
    platform.stop()


@pytest.fixture
def platform(started: AzurePlatformWorld) -> AzurePlatformWorld:
    started.reset()
    return started


def look(platform: AzurePlatformWorld, id: str, *, real: bool = False) -> Outcome:
    try:
        return CHECKS[id](platform.view(real=real))
    except GenaiError as error:
        return Outcome("fail", error.message, error.remedy)


@pytest.mark.parametrize("id", CHECKS)
def test_it_passes_on_a_platform_that_works(platform: AzurePlatformWorld, id: str) -> None:
    outcome = look(platform, id)
    assert outcome.status == "pass", outcome
    assert outcome.evidence
    assert "sk-" not in outcome.evidence


def change(old: str, new: str = "") -> Callable[[AzurePlatformWorld], object]:
    return lambda platform: platform.weaken(old, new)


def without(start: str, end: str) -> Callable[[AzurePlatformWorld], object]:
    def cut(platform: AzurePlatformWorld) -> None:
        text = platform.policy
        at = text.index(start)
        platform.deploy(text[:at] + text[text.index(end, at) + len(end) :])

    return cut


def remember_failures(platform: AzurePlatformWorld) -> None:
    text = platform.policy
    key = text.split('<cache-lookup-value key="')[1].split('"')[0]
    at = text.index('<set-variable name="verdict"')
    platform.deploy(f'{text[:at]}<cache-store-value key="{key}" value="none" duration="60" caching-type="internal" />{text[at:]}')


def passes_headers_on(platform: AzurePlatformWorld) -> None:
    text = platform.policy
    at = text.index("<choose>")
    platform.deploy(text[:at] + text[text.index("</choose>", at) + len("</choose>") :])


def other_key_in_the_vault(platform: AzurePlatformWorld) -> None:
    platform.model.keys["sk-somebody-elses-virtual-key"] = {"alias": "other.1", "models": ["chat-a"], "spend": 9.0}
    platform.store_key("sk-somebody-elses-virtual-key")


def foreign_alias(platform: AzurePlatformWorld) -> None:
    for entry in platform.model.keys.values():
        entry["alias"] = "other.1"


def booked_elsewhere(platform: AzurePlatformWorld) -> None:
    for entry in platform.model.keys.values():
        entry["spend"] = -1.0


def other_audience(platform: AzurePlatformWorld) -> None:
    other, store = "aaaaaaaa-0000-4000-8000-000000000002", platform.state.store
    for kind, id in (("applications", "o-api"), ("servicePrincipals", "p-api")):
        store.put(kind, id, {**(store.get(kind, id) or {}), "appId": other})


def unassigned(platform: AzurePlatformWorld) -> None:
    store = platform.state.store
    store.delete("appRoleAssignments", "p-api/1")
    store.put("servicePrincipals", "p-api", {"id": "p-api", "appId": "aaaaaaaa-0000-4000-8000-000000000001"})


def put(**values: object) -> Callable[[AzurePlatformWorld], object]:
    return lambda platform: [setattr(platform.model, name, value) for name, value in values.items()]


CODE_401, CODE_403 = 'failed-validation-httpcode="401"', 'failed-validation-httpcode="403"'
BROKEN = [
    ("azure.token", unassigned, "roles are []"),
    ("azure.token", other_audience, 'aud is "aaaaaaaa-0000-4000-8000-000000000002"'),
    ("azure.chat", put(pieces=[]), "empty"),
    ("azure.chat", change('backend-id="behind"', 'backend-id="nothing"'), "500"),
    ("azure.stream", put(gap=0.0, pieces=["東京"]), "one piece"),
    ("azure.key", put(booked_on=MASTER), "another key"),
    ("azure.key", foreign_alias, "is 'other.1', which is not team-a's"),
    ("azure.key", booked_elsewhere, "USD booked, this chat alone cost"),
    ("azure.refuses.no_token", change(CODE_401, CODE_403), "gets 403"),
    ("azure.refuses.no_token", without("<validate-jwt", "</validate-jwt>"), "gets 500"),
    ("azure.refuses.garbage", change(CODE_401, CODE_403), "a broken signature"),
    ("azure.refuses.expired", change('clock-skew="60"', 'clock-skew="86400"'), "expired an hour ago"),
    ("azure.refuses.audience", without("<audiences>", "</audiences>"), "another audience"),
    ("azure.refuses.tenant", change("<issuers>", f"<issuers><issuer>https://sts.windows.net/{TENANT}/</issuer>"), "the v1 issuer"),
    ("azure.refuses.role", without("<required-claims>", "</required-claims>"), "no role"),
    ("azure.refuses.role", change("Genai.Call</value>", "Genai.Call</value><value>Genai.Other</value>"), "another role"),
    ("azure.refuses.role", change("Genai.Call</value>", "Never</value>"), "differs in nothing"),
    ("azure.refuses.no_key", change('code="403"', 'code="200"'), "gets 200"),
    ("azure.refuses.vault_down", change('code="503"', 'code="500"'), "gets 500"),
    ("azure.refuses.vault_down", remember_failures, "once the vault is back"),
    ("azure.refuses.admin_routes", lambda platform: platform.put_operation("POST", "/*"), "from behind the gateway"),
    ("azure.refuses.subscription_key", lambda platform: platform.put_api(), "gets 401"),
    ("azure.refuses.foreign_headers", passes_headers_on, "x-litellm-api-key alone"),
    ("azure.refuses.foreign_headers", change("&#34;x-goog-api-key&#34;, "), "x-goog-api-key"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "broken", "words"), [pytest.param(*row, id=f"{row[0]}: {row[2]}") for row in BROKEN])
def test_it_fails_when_what_it_guards_is_broken(
    platform: AzurePlatformWorld, id: str, broken: Callable[[AzurePlatformWorld], object], words: str
) -> None:
    broken(platform)
    outcome = look(platform, id)
    assert outcome.status == "fail", outcome
    assert words in outcome.evidence
    assert outcome.hint or id == "azure.chat"


def test_another_callers_key_in_the_vault_is_noticed(platform: AzurePlatformWorld) -> None:
    view = platform.view()
    assert azure.chat(view).status == "pass"
    other_key_in_the_vault(platform)
    assert "another key" in azure.key(view).evidence


def test_no_key_in_the_vault_is_noticed(platform: AzurePlatformWorld) -> None:
    view = platform.view()
    assert azure.chat(view).status == "pass"
    for entry in ("secrets", "deletedSecrets"):
        platform.state.store.delete(entry, f"{VAULT}/litellm-{CALLER}")
    outcome = azure.key(view)
    assert outcome.status == "fail"
    assert "holds no key for team-a" in outcome.evidence
    assert str(outcome.hint) == "run: genai keys issue team-a"


@pytest.mark.parametrize("claim", ["iss", "aud", "azp"])
def test_a_token_with_another_claim_than_expected_is_noticed(platform: AzurePlatformWorld, claim: str) -> None:
    view, probe = platform.view(), platform.view().control()
    assert probe
    signed = probe.sign({**token.claims(view.token()), claim: "another one"})
    view.token = lambda: signed  # type: ignore[method-assign]
    outcome = azure.token(view)
    assert outcome.status == "fail"
    assert f'{claim} is "another one"' in outcome.evidence


@pytest.mark.parametrize("row", ONLY_PROBED)
def test_without_a_probe_door_the_policy_is_read_back(platform: AzurePlatformWorld, row: str) -> None:
    platform.check_applications = False
    outcome = look(platform, f"azure.refuses.{row}", real=True)
    assert outcome.status == "skip"
    assert "read back" in outcome.evidence


ISSUED = [
    ("audience", without("<audiences>", "</audiences>"), "another application"),
    ("role", change("Genai.Call</value>", "Genai.Call</value><value>Genai.Probe</value>"), "another role"),
    ("no_key", change('code="403"', 'code="200"'), "gets 200"),
]


@pytest.mark.parametrize(("row", "broken", "words"), ISSUED, ids=[row[0] for row in ISSUED])
def test_without_a_probe_door_applications_for_checks_get_tokens(
    platform: AzurePlatformWorld, row: str, broken: Callable[[AzurePlatformWorld], object], words: str
) -> None:
    outcome = look(platform, f"azure.refuses.{row}", real=True)
    assert outcome.status == "pass", outcome
    broken(platform)
    outcome = look(platform, f"azure.refuses.{row}", real=True)
    assert outcome.status == "fail"
    assert words in outcome.evidence


@pytest.mark.parametrize(
    ("row", "broken", "words"),
    [
        ("expired", change('clock-skew="60"', 'clock-skew="86400"'), "clock-skew"),
        ("audience", without("<audiences>", "</audiences>"), "none"),
        ("tenant", change("<issuers>", "<issuers><issuer>https://other/</issuer>"), "other"),
        ("role", without("<required-claims>", "</required-claims>"), "not required"),
        ("no_key", change('code="403"', 'code="401"'), "401"),
        ("vault_down", change('code="503"', 'code="500"'), "500"),
        ("expired", without("<validate-jwt", "</validate-jwt>"), "not validated"),
    ],
)
def test_a_weak_policy_is_noticed_without_a_probe_door(
    platform: AzurePlatformWorld, row: str, broken: Callable[[AzurePlatformWorld], object], words: str
) -> None:
    platform.check_applications = False
    broken(platform)
    outcome = look(platform, f"azure.refuses.{row}", real=True)
    assert outcome.status == "fail"
    assert words in outcome.evidence


def test_no_key_of_the_checks_stays(platform: AzurePlatformWorld) -> None:
    look(platform, "azure.refuses.foreign_headers")
    assert [entry["alias"] for entry in platform.model.keys.values()] == [f"{CALLER}.1"]


def test_the_probe_door_is_closed_without_its_secret(platform: AzurePlatformWorld) -> None:
    url = f"{platform.target.endpoints.azure.control}/token"
    answer = httpx.post(url, json={"claims": {"aud": "x"}}, headers={"Authorization": "Bearer guess"}, verify=platform.trusted)
    assert answer.status_code == 403


# -- clients that this project did not write ------------------------------------------------------------
def sdk(platform: AzurePlatformWorld, bearer: str) -> Any:
    import openai  # which takes its time: not in every worker

    http = httpx.Client(verify=platform.trusted, trust_env=False)
    return openai.OpenAI(
        base_url=f"https://localhost:{platform.layout.ports['gateway']}/genai/v1", api_key=bearer, http_client=http, max_retries=0
    )


def test_the_openai_sdk_with_a_token_of_msal(platform: AzurePlatformWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    import msal

    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests would take them in place of what it is given
        monkeypatch.delenv(name, raising=False)
    application = msal.ConfidentialClientApplication(
        CALLER,
        authority=f"{platform.state.authority}/{TENANT}",
        client_credential="client-secret-1",
        instance_discovery=False,
        verify=str(platform.layout.ca_file),
    )
    bearer = application.acquire_token_for_client([platform.client.scope])["access_token"]
    client = sdk(platform, bearer)
    assert [model.id for model in client.models.list()] == ["chat-a"]
    answer = client.chat.completions.create(model="chat-a", messages=[{"role": "user", "content": "東京?"}])
    assert answer.choices[0].message.content == "東京です"
    pieces = client.chat.completions.create(model="chat-a", messages=[{"role": "user", "content": "?"}], stream=True)
    assert [piece.choices[0].delta.content for piece in pieces] == ["東", "京", "です"]


def test_the_openai_sdk_with_a_token_of_azure_identity(platform: AzurePlatformWorld) -> None:
    import openai

    client = platform.client
    assert client.secret is not None
    found = token.fetch(platform.target, client.tenant_id, client.client_id, client.secret, client.scope)
    assert token.claims(found)["roles"] == ["Genai.Call"]
    assert [model.id for model in sdk(platform, found.get_secret_value()).models.list()] == ["chat-a"]
    with pytest.raises(openai.AuthenticationError):
        sdk(platform, "garbage").models.list()


def test_a_secret_that_was_made_just_now_is_waited_for(platform: AzurePlatformWorld) -> None:
    store, client = platform.state.store, platform.client
    application = store.get("applications", "o-caller")
    assert application is not None
    application["secrets"] = []
    store.put("applications", "o-caller", application)
    later = threading.Timer(0.5, platform.reset)
    later.start()
    try:
        assert client.secret is not None
        assert token.fetch(platform.target, client.tenant_id, client.client_id, client.secret, client.scope)
    finally:
        later.join()


def test_a_wrong_secret_is_refused_with_its_code_and_without_its_value(
    platform: AzurePlatformWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "PATIENCE", 0.0)
    client = platform.client
    with pytest.raises(StepError, match="AADSTS7000215") as raised:
        token.fetch(platform.target, client.tenant_id, client.client_id, SecretStr("the-wrong-one"), client.scope)
    assert "the-wrong-one" not in str(raised.value)


def test_a_spent_budget_is_said_at_once(platform: AzurePlatformWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "422"}}
    monkeypatch.setattr(platform.model, "_chat", lambda key, body: JSONResponse(spent, 422))
    for id in ("azure.key", "azure.chat"):
        outcome = FunctionCheck(id, 0.0, lambda id=id: CHECKS[id](platform.view())).look()  # type: ignore[misc]
        assert (outcome.status, outcome.final) == ("fail", True)
        assert "its budget is spent" in str(outcome.hint)


def test_what_is_behind_and_cannot_be_reached_is_500(platform: AzurePlatformWorld) -> None:
    platform.put_backend("https://127.0.0.1:1")
    outcome = look(platform, "azure.chat")
    assert (outcome.status, outcome.evidence) == ("fail", "/genai/v1/chat/completions answered 500: Internal server error")


def test_an_answer_that_does_not_begin_in_time_is_500(platform: AzurePlatformWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "APIM_FORWARD_LEAST", pace.Duration(0.3, "this test"))
    assert look(platform, "azure.chat").status == "pass"
    monkeypatch.setattr(platform.model, "delay", 2.0)
    assert "answered 500" in look(platform, "azure.chat").evidence
    monkeypatch.setattr(platform.model, "delay", 0.0)
    monkeypatch.setattr(platform.model, "gap", 0.3)
    assert look(platform, "azure.stream").status == "pass", "a stream that has begun may take longer"
