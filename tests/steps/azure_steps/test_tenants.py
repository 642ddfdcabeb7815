"""One tenant, several subscriptions: each environment works on its own, whatever the other one does in the directory they share."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from genai_platform.audit import azure as azure_leftovers
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.azure.application import ApplicationStep
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.callers.observed_keys import secret_name
from genai_platform.tools.azure import token

from .world import AzureWorld, Quiet, ask, down, running, states, store, up


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    """Stand-ins of their own: what is added to their tenant is in no other test."""
    with running(tmp_path_factory.mktemp("tenant")) as layout:
        yield layout


def works(world: AzureWorld, name: str = "team-a") -> None:
    """A caller gets its token with the role, and the vault holds the key that LiteLLM knows it by."""
    clients = world.clients()
    client = keys.client(clients, name)
    assert client.secret
    claims = token.claims(token.fetch(world.target, client.tenant_id, client.client_id, client.secret, client.scope))
    assert claims["roles"] == ["Genai.Call"]
    assert claims["aud"] == entra_applications.need_api(clients)["appId"]
    held = clients.azure.vaults.value(lookup.need_vault(clients), secret_name(client.client_id))
    assert held
    assert held.get_secret_value() in world.litellm.values
    assert states(world) == {State.PRESENT}


def test_two_environments_of_one_name_in_two_subscriptions_leave_each_other_alone(tenant: SandboxLayout) -> None:
    theirs = {"team-a": {"models": ["gpt-4o-mini"]}, "team-z": {"models": ["gpt-4o-mini"]}}
    first = AzureWorld(tenant, "shared", callers=theirs)
    second = AzureWorld(tenant, "shared", ask(tenant, "subscription", name="production"))
    assert first.target.prefix == second.target.prefix
    up(first)
    up(second)
    works(first)
    works(first, "team-z")
    works(second)
    assert up(first) == up(second) == []
    down(second)
    assert states(second) == {State.ABSENT}
    assert azure_leftovers.look(second.clients()).standing == []
    works(first)
    works(first, "team-z")
    down(first)


def test_two_tenants_know_nothing_of_each_other(tenant: SandboxLayout) -> None:
    first = AzureWorld(tenant, "apart")
    other = ask(tenant, "subscription", name="elsewhere", tenant="33333333-3333-4333-8333-333333333333")
    second = AzureWorld(tenant, "apart", other)
    up(first)
    up(second)
    assert second.clients().azure.graph.application(entra_applications.api_name(first.target)) is None
    works(first)
    works(second)
    down(first)
    works(second)
    down(second)


def marked_as_somebody_elses(world: AzureWorld, name: str) -> str:
    """An application of a name of this environment that carries another subscription: its object id."""
    tags = ["genai:environment=shared", "genai:subscription=99999999-9999-4999-8999-999999999999"]
    graph = world.clients().azure.graph
    made = str(graph.ensure_application(name, {"tags": tags})["id"])
    assert graph.application(name, fresh=60), "the directory shows it"
    return made


def test_an_application_of_our_name_that_carries_another_subscription_is_refused(world: AzureWorld) -> None:
    theirs = marked_as_somebody_elses(world, entra_applications.api_name(world.target))
    step = ApplicationStep(world.clients())
    assert observe(step).state is State.UNKNOWN
    with pytest.raises(StepError, match="99999999-9999-4999-8999-999999999999"):
        step.apply(Quiet())
    assert "left alone" in step.destroy(Quiet())
    assert world.clients().azure.graph.application(entra_applications.api_name(world.target))
    world.clients().azure.graph.delete_application(theirs)


def test_a_deleted_application_of_somebody_else_is_neither_purged_nor_restored(world: AzureWorld) -> None:
    """Theirs may want it back; it holds the name all the same."""
    graph, name = world.clients().azure.graph, entra_applications.api_name(world.target)
    theirs = marked_as_somebody_elses(world, name)
    graph.delete_application(theirs)
    with pytest.raises(StepError, match="99999999-9999-4999-8999-999999999999"):
        ApplicationStep(world.clients()).apply(Quiet())
    ApplicationStep(world.clients()).destroy(Quiet())
    assert [entry["id"] for entry in graph.deleted(name)] == [theirs]
    graph.purge(theirs)


@pytest.mark.parametrize("kind", ["caller", "probe"])
def test_a_callers_application_that_carries_another_subscription_is_never_touched(world: AzureWorld, kind: str) -> None:
    prefix = entra_applications.caller_prefix(world.target) if kind == "caller" else entra_applications.probe_prefix(world.target)
    stray, named = f"{prefix}stray", f"{prefix}team-a" if kind == "caller" else f"{prefix}role"
    graph = world.clients().azure.graph
    marked_as_somebody_elses(world, stray)
    up(world)
    assert up(world) == [], "it is neither a stray of this environment nor a fault"
    down(world)
    marked_as_somebody_elses(world, named)
    with pytest.raises(StepError, match="99999999"):
        up(world)
    down(world)
    assert graph.application(stray)
    assert graph.application(named)
    for name in (stray, named):
        graph.delete_application(str((graph.application(name) or {})["id"]))


def test_an_application_that_lost_its_mark_gets_it_again(world: AzureWorld) -> None:
    up(world)
    graph = world.clients().azure.graph
    graph.change_application(str(entra_applications.need_api(world.clients())["id"]), {"tags": []})
    assert up(world) == ["azure.application"]
    assert entra_applications.marks(world.target) == entra_applications.need_api(world.clients())["tags"]


def test_a_throttled_directory_is_asked_again(world: AzureWorld) -> None:
    for service, seconds in (("entra", 1), ("graph", 0.1)):
        ask(world.layout, "throttle", service=service, requests=3, retry_after=seconds)
    ApplicationStep(world.clients()).apply(Quiet())
    assert ApplicationStep(world.clients()).observe().state is State.PRESENT


def test_an_enabled_role_that_stands_in_the_way_is_disabled_first_and_others_stay(world: AzureWorld) -> None:
    ApplicationStep(world.clients()).apply(Quiet())
    graph, found = world.clients().azure.graph, entra_applications.need_api(world.clients())
    kept = {"id": "55555555-5555-4555-8555-555555555555", "value": "Theirs", "isEnabled": True}
    with store(world) as opened:
        held = opened.get("applications", str(found["id"])) or {}
        (call, probe) = held["appRoles"]
        opened.put("applications", held["id"], {**held, "appRoles": [{**call, "id": "66666666-6666-4666-8666-666666666666"}, probe, kept]})
    with pytest.raises(StepError, match="CannotDeleteOrUpdateEnabledEntitlement"):
        graph.change_application(str(found["id"]), {"appRoles": [call, probe]})
    assert ApplicationStep(world.clients()).observe().state is State.DRIFTED
    ApplicationStep(world.clients()).apply(Quiet())
    roles = {role["id"]: role["value"] for role in entra_applications.need_api(world.clients())["appRoles"]}
    assert roles == {call["id"]: call["value"], probe["id"]: probe["value"], kept["id"]: "Theirs"}


def test_an_api_that_the_token_endpoint_does_not_know_yet_is_waited_for(world: AzureWorld) -> None:
    up(world)
    client = keys.client(world.clients(), "team-a")
    assert client.secret
    with store(world) as opened:
        found = opened.find("servicePrincipals", "appId", str(entra_applications.need_api(world.clients())["appId"])) or {}
        opened.put("servicePrincipals", found["id"], {**found, "createdAt": time.time() + 1})
    assert token.claims(token.fetch(world.target, client.tenant_id, client.client_id, client.secret, client.scope))["roles"]
