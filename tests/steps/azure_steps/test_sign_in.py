"""People sign in with Entra ID: an application for each tool, exactly the configured people, a secret that is renewed in time."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest

from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import MissingError
from genai_platform.render.secrets import SignInClient
from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.langfuse.azure_ad import AzureAd, Provider, Refused
from genai_platform.sandbox.langfuse.directory import User
from genai_platform.steps.azure.sign_in import SignInStep, prefix
from genai_platform.tools.azure.rest import Body

from .world import AzureWorld, Quiet, ask, store

LITELLM, LANGFUSE = "https://localhost:8443/sso/callback", "https://localhost:8444/api/auth/callback/azure-ad"


def settings(**who: Any) -> dict[str, Any]:
    return {"sign_in": who, "litellm": {"sign_in": "entra"}, "langfuse": {"sign_in": "entra"}}


@pytest.fixture
def group(world: AzureWorld) -> str:
    """A group of the tenant, with one person in it."""
    found = str(uuid4())
    ask(world.layout, "user", name=f"{found[:8]}@example.com", groups=[found])
    return found


@pytest.fixture
def person(world: AzureWorld) -> str:
    name = f"{uuid4().hex[:8]}@example.com"
    ask(world.layout, "user", name=name)
    return name


def application(world: AzureWorld, tool: str) -> Body:
    clients = world.clients()
    found = clients.azure.graph.application(f"{prefix(clients)}{tool}")
    assert found
    return found


def holders(world: AzureWorld, tool: str) -> dict[str, str]:
    """Who is assigned to a tool's application, and the value of the role."""
    graph, entry = world.clients().azure.graph, application(world, tool)
    principal = graph.principal(str(entry["appId"]))
    assert principal
    assert principal["appRoleAssignmentRequired"] is True
    values = {role["id"]: role["value"] for role in entry.get("appRoles") or ()}
    found = graph.assignments(str(principal["id"]))
    return {str(one["principalId"]): values.get(str(one["appRoleId"]), "") for one in found}


def kept(world: AzureWorld, tool: str) -> SignInClient:
    return world.clients().secrets().sign_in[tool]


def change(world: AzureWorld, tool: str, **values: Any) -> None:
    """Another state of what is stored, as time brings it."""
    assert world.aws
    platform = world.clients().secrets()
    changed = platform.sign_in | {tool: platform.sign_in[tool].model_copy(update=values)}
    world.aws.platform = platform.model_copy(update={"sign_in": changed})


def state(world: AzureWorld) -> tuple[State, str]:
    found = observe(SignInStep(world.clients()))
    return found.state, found.evidence


def apply(world: AzureWorld) -> None:
    SignInStep(world.clients()).apply(Quiet())
    assert state(world)[0] is State.PRESENT, state(world)


def test_each_tool_has_an_application_that_lets_in_who_is_configured(world: AzureWorld, group: str, person: str) -> None:
    world.configure(settings(groups=[group], people=[person], litellm_roles={group: "proxy_admin"}))
    assert state(world)[0] is State.ABSENT
    apply(world)
    assert application(world, "litellm")["web"]["redirectUris"] == [LITELLM]
    assert application(world, "langfuse")["web"]["redirectUris"] == [LANGFUSE]
    assert sorted(holders(world, "litellm").values()) == ["internal_user_viewer", "proxy_admin"]
    assert holders(world, "litellm")[group] == "proxy_admin"
    assert set(holders(world, "litellm")) == set(holders(world, "langfuse"))
    assert kept(world, "litellm").client_id == application(world, "litellm")["appId"] != kept(world, "langfuse").client_id
    assert kept(world, "litellm").address == "https://localhost:8443"


def test_who_is_no_longer_configured_is_no_longer_assigned(world: AzureWorld, group: str, person: str) -> None:
    world.configure(settings(groups=[group], people=[person]))
    apply(world)
    world.configure(settings(groups=[group]))
    assert state(world)[0] is State.DRIFTED
    assert "assigned, but not configured" in state(world)[1]
    apply(world)
    assert list(holders(world, "litellm")) == list(holders(world, "langfuse")) == [group]


def test_another_role_takes_the_place_of_the_first(world: AzureWorld, group: str) -> None:
    world.configure(settings(groups=[group]))
    apply(world)
    world.configure(settings(groups=[group], litellm_role="internal_user"))
    assert state(world)[0] is State.DRIFTED
    apply(world)
    assert holders(world, "litellm") == {group: "internal_user"}


@pytest.mark.parametrize("who", [{"groups": ["11111111-2222-3333-4444-555555555555"]}, {"people": ["nobody@example.com"]}])
def test_who_does_not_exist_is_named(world: AzureWorld, monkeypatch: pytest.MonkeyPatch, who: dict[str, Any]) -> None:
    monkeypatch.setattr("genai_platform.tools.azure.entra._SHOWN", 0.0)
    world.configure(settings(**who))
    with pytest.raises(MissingError, match=next(iter(who.values()))[0]):
        SignInStep(world.clients()).apply(Quiet())


def test_a_secret_is_renewed_in_time_and_the_old_one_goes_when_nothing_uses_it(world: AzureWorld, person: str) -> None:
    world.configure(settings(people=[person]))
    apply(world)
    first = kept(world, "litellm")
    change(world, "litellm", expires=datetime.now(UTC) + timedelta(days=29))
    assert state(world)[0] is State.DRIFTED
    apply(world)
    second = kept(world, "litellm")
    assert second.secret != first.secret
    assert second.expires > datetime.now(UTC) + timedelta(days=150)
    assert {one["keyId"] for one in application(world, "litellm")["passwordCredentials"]} == {first.key_id, second.key_id}
    change(world, "litellm", previous_until=datetime.now(UTC) - timedelta(minutes=1))
    assert state(world) == (State.DRIFTED, "litellm: has a client secret that nothing uses")
    apply(world)
    assert [one["keyId"] for one in application(world, "litellm")["passwordCredentials"]] == [second.key_id]
    assert kept(world, "litellm").secret == second.secret


@pytest.mark.parametrize("kind", ["redirect", "open", "secret"])
def test_what_was_changed_by_hand_is_noticed_and_put_right(world: AzureWorld, person: str, kind: str) -> None:
    world.configure(settings(people=[person]))
    apply(world)
    graph, entry = world.clients().azure.graph, application(world, "langfuse")
    principal = graph.principal(str(entry["appId"]))
    assert principal
    if kind == "redirect":
        graph.change_application(str(entry["id"]), {"web": {"redirectUris": [LANGFUSE, "https://elsewhere.example.com/"]}})
    elif kind == "open":
        graph.change_principal(str(principal["id"]), {"appRoleAssignmentRequired": False})
    else:
        graph.remove_password(str(entry["id"]), kept(world, "langfuse").key_id)
    assert state(world)[0] is State.DRIFTED
    assert state(world)[1].startswith("langfuse: ")
    apply(world)


def test_a_tool_that_goes_back_to_passwords_loses_its_application(world: AzureWorld, person: str) -> None:
    world.configure(settings(people=[person]))
    apply(world)
    world.configure(settings(people=[person]) | {"langfuse": {}})
    assert state(world) == (State.DRIFTED, "langfuse: must not be there")
    apply(world)
    assert set(world.clients().secrets().sign_in) == {"litellm"}


def test_down_removes_what_is_ours_and_nothing_else(world: AzureWorld, person: str) -> None:
    world.configure(settings(people=[person]))
    apply(world)
    with store(world) as opened:
        before = {one["id"] for one in opened.all("applications") if "sign-in." not in str(one.get("uniqueName"))}
    SignInStep(world.clients()).destroy(Quiet())
    assert state(world)[0] is State.ABSENT
    assert not world.clients().secrets().sign_in
    with store(world) as opened:
        assert {one["id"] for one in opened.all("applications")} >= before
        assert opened.find("users", "userPrincipalName", person)


class Accounts:
    """Who Langfuse knows, in memory."""

    def __init__(self) -> None:
        self.joined: list[tuple[str, str, str]] = []

    def of_provider(self, subject: str, email: str, name: str, *, linking: bool, create: bool) -> User | str:
        return User(subject, email, name) if create else "Sign up is disabled."

    def join(self, user: User, organisation: str, role: str) -> None:
        self.joined.append((user.email, organisation, role))


def test_who_is_assigned_comes_back_to_langfuse_and_nobody_else(
    world: AzureWorld, group: str, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.layout.ca_file))
    world.configure(settings(groups=[group]))
    apply(world)
    own, accounts = kept(world, "langfuse"), Accounts()
    provider = Provider(own.client_id, own.secret.get_secret_value(), TENANT, linking=True, organisation="genai", role="MEMBER")
    langfuse = AzureAd(provider, accounts, world.target.endpoints.azure.authority, own.address, create=True)
    url, state = langfuse.address()
    member = f"{group[:8]}@example.com"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(world.layout.ca_file)), trust_env=False) as http:
        back = http.post(url, data={"login": member}).headers["location"]
        refused = http.post(url, data={"login": person})
    assert back.startswith(LANGFUSE + "?")
    assert langfuse.person(dict(parse_qsl(urlsplit(back).query)), state).email == member
    assert accounts.joined == [(member, "genai", "MEMBER")]
    with pytest.raises(Refused):  # a code is good for one time
        langfuse.person(dict(parse_qsl(urlsplit(back).query)), state)
    assert "location" not in refused.headers
    assert "AADSTS50105" in refused.text
