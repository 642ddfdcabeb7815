"""``genai keys``, ``token``, ``chat`` and ``azure env``: what they print, and what they never print."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from genai_platform.errors import StepError
from genai_platform.steps.azure.callers import keys, revocation
from genai_platform.steps.azure.callers.caller import Client, Key, Revocation, Rotation, SecretRotation
from tests.cli.conftest import Shell

TENANT, APP = "11111111-1111-4111-8111-111111111111", "33333333-3333-4333-8333-333333333333"
TOKEN = "eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(json.dumps({"exp": 2_000_000_000}).encode()).decode().rstrip("=") + ".x"
CONFIGURATION = f"""
[[litellm.models]]
name = "small"
azure_deployment = "d"
api_base = "https://a.example.com"
[[litellm.models]]
name = "large"
azure_deployment = "d"
api_base = "https://a.example.com"
[azure]
enabled = true
tenant_id = "{TENANT}"
[azure.apim]
unverified_backend = true
[azure.callers.team-a]
models = ["large"]
max_budget = 50
"""


@dataclass
class Callers:
    """What the world knows of one caller, and what was done."""

    key: Key = field(default_factory=lambda: Key("team-a", APP, "active", f"{APP}.1", None, 1.25, 50.0, ("large",)))
    secret: str | None = "the-client-secret"
    stored: str | None = "sk-the-virtual-key"
    done: list[str] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    closes: bool = True

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(keys, "listed", lambda clients: [self.key])
        patch.setattr(keys, "show", self._show)
        patch.setattr(keys, "issue", self._issue)
        patch.setattr(keys, "rotate", lambda clients, name, progress: Rotation(replace(self.key, alias=f"{APP}.2"), f"{APP}.1", 360))
        patch.setattr(keys, "rotate_secret", self._rotate_secret)
        patch.setattr(keys, "revoke", self._revoke)
        patch.setattr(keys, "client", lambda clients, name: self._client(name))
        patch.setattr("genai_platform.steps.azure.inventory.Inventory.stored_key", lambda inventory, client_id: self.stored_key(client_id))
        patch.setattr("genai_platform.steps.clients.Clients.secrets", lambda clients: self)
        patch.setattr("genai_platform.tools.azure.token.fetch", lambda *given: SecretStr(TOKEN))
        patch.setattr("genai_platform.tools.http.client", self._http)
        patch.setattr("genai_platform.steps.clients.Clients.address", lambda clients, name: "https://litellm.example.com")
        patch.setattr(revocation, "LONGEST", 0.0)

    litellm_master_key = SecretStr("sk-master")

    def stored_key(self, client_id: str) -> SecretStr | None:
        return SecretStr(self.stored) if self.stored else None

    def _show(self, clients: Any, name: str) -> Key:
        keys.known(clients, name)
        return self.key

    def _client(self, name: str) -> Client:
        secret = SecretStr(self.secret) if self.secret else None
        return Client(
            name, TENANT, APP, f"api://{APP}/.default", "https://login.microsoftonline.com", "https://g.azure-api.net/genai", secret
        )

    def _issue(self, clients: object, names: tuple[str, ...], *, reinstate: bool, progress: object) -> list[Key]:
        if self.key.state == "revoked" and not reinstate:
            raise StepError("the caller 'team-a' was revoked", remedy="--reinstate", id="keys.revoked")
        self.key = replace(self.key, state="active")
        return [self.key]

    def _rotate_secret(self, clients: object, name: str, *, overlap_hours: float, progress: object) -> SecretRotation:
        return SecretRotation(name, APP, "2027-01-01T00:00:00+00:00", f"in {overlap_hours:g} hours")

    def _revoke(self, clients: object, name: str, progress: object) -> Revocation:
        self.done.append("revoked")
        self.key = replace(self.key, state="revoked")
        return Revocation(self.key, ("1 key blocked in LiteLLM",))

    def _http(self, target: object, base_url: str = "", **more: Any) -> httpx.Client:
        return httpx.Client(base_url=base_url, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if "revoked" in self.done and self.closes:
            return httpx.Response(401)
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": []})
        body = json.loads(request.content)
        if body.get("stream"):
            lines = [f'data: {{"id": "c1", "choices": [{{"delta": {{"content": "{piece}"}}}}]}}\n\n' for piece in ("東", "京")]
            return httpx.Response(200, content="".join(lines).encode())
        return httpx.Response(200, json={"id": "c1", "model": body["model"], "choices": [{"message": {"content": "東京"}}]})


@pytest.fixture
def callers(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callers:
    (shell.folder / "genai.toml").write_text('[aws]\naccount_id = "123456789012"\n' + CONFIGURATION)
    callers = Callers()
    callers.install(monkeypatch)
    return callers


def test_list_shows_state_spend_and_budget(shell: Shell, callers: Callers) -> None:
    answer = shell("keys", "list", "--json")
    assert answer.code == 0
    (shown,) = answer.document["keys"]
    wanted = {"caller": "team-a", "client_id": APP, "state": "active", "expires": None, "spend": 1.25, "budget": 50.0}
    assert {name: shown[name] for name in wanted} == wanted
    assert "sk-" not in answer.out + answer.err
    assert "team-a" in shell("keys").out
    assert shell("keys", "show", "team-a", "--json").document["keys"] == [shown]


def test_an_unknown_caller_is_wrong_usage(shell: Shell, callers: Callers) -> None:
    for command in (("keys", "show", "team-b"), ("keys", "rotate", "team-b"), ("keys", "revoke", "team-b", "--yes")):
        answer = shell(*command)
        assert answer.code == 2
        assert "team-a" in answer.err


def test_without_azure_it_says_so(shell: Shell, callers: Callers) -> None:
    for command in (("keys", "list"), ("token",), ("azure", "env"), ("chat", "hello", "--through", "apim")):
        answer = shell(*command, "--set", "azure.enabled=false")
        assert answer.code == 2
        assert "azure.enabled" in answer.err


def test_rotation_names_both_keys_and_the_overlap(shell: Shell, callers: Callers) -> None:
    answer = shell("keys", "rotate", "team-a")
    assert answer.code == 0
    assert f"{APP}.2 takes the place of {APP}.1, which works 360 s more" in answer.out
    secret = shell("keys", "rotate", "team-a", "--secret", "--overlap-hours", "2", "--json").document
    assert secret["rotated"] == {"secret_expires": "2027-01-01T00:00:00+00:00", "old_until": "in 2 hours"}


def test_revocation_is_measured_at_both_entrances(shell: Shell, callers: Callers) -> None:
    callers.closes = True
    revocation.LONGEST = 30.0  # the fixture's patch puts it back
    answer = shell("keys", "revoke", "team-a", "--yes", "--json")
    assert answer.code == 0
    assert set(answer.document["closed_seconds"]) == {"API Management", "the load balancer"}
    assert all(seconds is not None for seconds in answer.document["closed_seconds"].values())
    assert answer.document["keys"][0]["state"] == "revoked"
    assert shell("keys", "issue", "team-a").code == 1
    assert shell("keys", "issue", "team-a", "--reinstate").code == 0


def test_an_entrance_that_stays_open_is_exit_code_1(shell: Shell, callers: Callers) -> None:
    callers.closes = False
    answer = shell("keys", "revoke", "team-a", "--yes")
    assert answer.code == 1
    assert "STILL OPEN" in answer.out


def test_revoking_asks_first(shell: Shell, callers: Callers) -> None:
    answer = shell("keys", "revoke", "team-a")
    assert answer.code == 1
    assert "--yes" in answer.err
    assert callers.done == []


def test_token_prints_the_token_alone(shell: Shell, callers: Callers) -> None:
    assert shell("token").out == f"{TOKEN}\n"
    assert shell("token", "--caller", "team-a", "--json").document["expires"] == "2033-05-18T03:33:20+00:00"


def test_an_application_that_existed_keeps_its_own_secret(shell: Shell, callers: Callers) -> None:
    callers.secret = None
    answer = shell("token", "--caller", "team-a")
    assert answer.code == 1
    assert APP in answer.err


def test_azure_env_is_what_the_handbooks_curl_needs(shell: Shell, callers: Callers) -> None:
    lines = shell("azure", "env", "--caller", "team-a").out.splitlines()
    assert lines[:4] == [
        f"export TENANT_ID={TENANT}",
        f"export CLIENT_ID={APP}",
        "export CLIENT_SECRET=the-client-secret",
        f"export SCOPE=api://{APP}/.default",
    ]
    assert not any("CURL" in line for line in lines)  # the public clouds need nothing besides
    assert shell("azure", "env", "--json").document["variables"]["CLIENT_SECRET"] == "the-client-secret"


def test_open_tells_a_program_the_address_and_only_when_asked_the_password(shell: Shell, callers: Callers) -> None:
    assert "password" not in shell("open", "litellm", "--json").document
    opened = shell("open", "litellm", "--login", "--json").document
    assert (opened["url"], opened["user"], opened["password"]) == ("https://litellm.example.com/ui", "admin", "sk-master")


def test_chat_through_both_entrances(shell: Shell, callers: Callers) -> None:
    asked = shell("chat", "日本の首都は?", "--caller", "team-a", "--json").document
    assert (asked["through"], asked["caller"], asked["model"], asked["text"]) == ("apim", "team-a", "large", "東京")
    assert str(callers.asked[-1].url) == "https://g.azure-api.net/genai/v1/chat/completions"
    assert callers.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert shell("chat", "?", "--through", "alb").out == "東京\n"
    assert (callers.asked[-1].url.host, callers.asked[-1].headers["authorization"]) == ("litellm.example.com", "Bearer sk-master")
    shell("chat", "?", "--through", "alb", "--caller", "team-a")
    assert callers.asked[-1].headers["authorization"] == "Bearer sk-the-virtual-key"
    assert shell("chat", "?", "--caller", "team-a", "--stream").out == "東京\n"
    assert shell("chat", "?", "--caller", "team-a", "--stream", "--json").document["pieces"] == 2


def test_a_spent_budget_is_seen_and_small_ones_are_shown_with_their_digits(shell: Shell, callers: Callers) -> None:
    callers.key = replace(callers.key, spend=0.000012, budget=0.00001)
    (shown,) = shell("keys", "list", "--json").document["keys"]
    assert (shown["state"], shown["spent"]) == ("active", True)
    table = shell("keys").out
    assert "0.000012" in table
    assert "0.00001" in table
    assert "budget spent" in table
    callers.key = replace(callers.key, spend=0.0, budget=None)
    assert shell("keys", "list", "--json").document["keys"][0]["spent"] is False


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(502, json={"error": {"code": "c", "message": "The provider refused the key."}}),
            "502: The provider refused the key.",
        ),
        (httpx.Response(500, json={"statusCode": 500, "message": "Internal server error"}), "500: Internal server error"),
        (httpx.Response(503, headers={"retry-after": "5"}), "503: it says nothing else, but to repeat after 5 s"),
        (httpx.Response(422, json={"error": {"type": "budget_exceeded", "message": "Budget has been exceeded!"}}), "budget is spent"),
    ],
)
def test_chat_says_what_the_answer_says(
    shell: Shell, callers: Callers, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, said: str
) -> None:
    monkeypatch.setattr(callers, "_answer", lambda request: answer)
    told = shell("chat", "--caller", "team-a", "hello")
    assert told.code == 1
    assert said in told.err
