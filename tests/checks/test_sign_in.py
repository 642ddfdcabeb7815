"""The checks of signing in pass where people are sent to Entra ID as configured, and fail when that is broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from genai_platform.checks import sign_in
from genai_platform.checks.check import Outcome
from genai_platform.checks.platform import Platform
from genai_platform.config.settings import Settings
from genai_platform.errors import NeverBuilt
from genai_platform.steps.azure.sign_in import Judged

from .platform import PlatformWorld

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
PAGE = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize"
REDIRECTS = {
    "litellm": "https://litellm.example.com/sso/callback",
    "langfuse": "https://langfuse.example.com/api/auth/callback/azure-ad",
}
PERSON = "anna@example.com"
SETTINGS = Settings.model_validate(
    {
        "litellm": {"sign_in": "entra"},
        "langfuse": {"sign_in": "entra"},
        "sign_in": {"people": [PERSON]},
        "ingress": {"domain": "example.com"},
        "azure": {"enabled": True, "tenant_id": TENANT, "subscription_id": TENANT},
    }
)


@dataclass
class World(PlatformWorld):
    """A platform on which people sign in with Entra ID."""

    settings: Settings = SETTINGS
    page: str = PAGE
    asked: dict[str, str] = field(default_factory=lambda: {"client_id": CLIENT, "response_type": "code"})
    seats: bool = True
    passwords: bool = False
    application: Judged | None = field(default_factory=lambda: Judged(CLIENT, 1, ()))

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if kind == "Ingress":
            return {"status": {"loadBalancer": {"ingress": [{"hostname": "x.elb.amazonaws.com"}]}}}
        return super().get(api_version, kind, name, namespace)

    def look(self, tool: str) -> Outcome:
        inventory = _Inventory(self)
        platform = Platform(self, lambda: inventory)  # type: ignore[arg-type,return-value]
        for name in REDIRECTS:
            http = httpx.Client(base_url=f"https://{name}.example.com", transport=httpx.MockTransport(self.browser))
            platform._kept[f"browser {name}"] = http
        return next(check for check in sign_in.checks(platform) if check.id == f"sign_in.{tool}").look()

    def browser(self, request: httpx.Request) -> httpx.Response:
        tool = request.url.host.partition(".")[0]
        url = f"{self.page}?{urlencode({'redirect_uri': REDIRECTS[tool], **self.asked})}"
        form = dict(parse_qsl(request.content.decode()))
        match request.url.path:
            case "/sso/key/generate":
                text = "You must be a LiteLLM Enterprise user to use SSO for more than 5 users."
                return httpx.Response(303, headers={"location": url}) if self.seats else httpx.Response(403, json={"error": text})
            case "/api/auth/csrf":
                return httpx.Response(200, json={"csrfToken": "token"})
            case "/api/auth/signin/azure-ad":
                assert form["csrfToken"] == "token"
                return httpx.Response(200, json={"url": url})
        assert request.url.path == "/api/auth/callback/credentials"
        assert form["password"] == self._secrets.langfuse_user_password.get_secret_value()
        return httpx.Response(200 if self.passwords else 401, json={"url": "https://langfuse.example.com/"})


class _Inventory:
    def __init__(self, world: World) -> None:
        self._world = world

    def sign_in(self, tool: str) -> Judged:
        if self._world.application is None:
            raise NeverBuilt(f"the Entra application for signing in to {tool} does not exist")
        return self._world.application


@pytest.mark.parametrize("tool", REDIRECTS)
def test_it_passes_where_people_are_sent_to_entra_id(tool: str) -> None:
    outcome = World().look(tool)
    assert outcome.status == "pass", outcome
    assert REDIRECTS[tool] in outcome.evidence
    assert "nobody was signed in" in outcome.evidence


@pytest.mark.parametrize("tool", REDIRECTS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"page": "https://login.example.com/authorize"}, "the page"),
        ({"asked": {"client_id": TENANT}}, "client_id"),
        ({"asked": {"client_id": CLIENT, "redirect_uri": "https://elsewhere.example.com/"}}, "redirect_uri"),
        ({"application": Judged(CLIENT, 1, ("lets in people who are not assigned",))}, "not assigned"),
        ({"application": Judged(CLIENT, 1, ("Bob assigned, but not configured",))}, "Bob assigned"),
        ({"application": None}, "does not exist"),
    ],
)
def test_it_fails_when_what_it_guards_is_broken(tool: str, change: dict[str, Any], words: str) -> None:
    outcome = World(**change).look(tool)
    assert outcome.status == "fail"
    assert words in outcome.evidence
    assert outcome.hint


def test_a_litellm_without_a_free_seat_is_told_as_what_it_is() -> None:
    outcome = World(seats=False).look("litellm")
    assert outcome.status == "fail"
    assert "at most 5 users" in outcome.evidence


def test_a_password_that_still_opens_langfuse_is_a_failure() -> None:
    assert "password still opens" in World(passwords=True).look("langfuse").evidence


def test_with_passwords_there_is_nothing_to_check() -> None:
    assert sign_in.checks(PlatformWorld().platform()) == []
