"""What is not configured any more: found by this environment's own tags, planned, and removed by `up` or `down`; nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from genai_platform.audit import azure as audit
from genai_platform.engine.graph import Graph
from genai_platform.engine.observe import changes, observe
from genai_platform.engine.step import State
from genai_platform.errors import Unreachable
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.model_access import ModelAccessStep
from genai_platform.steps.azure.sign_in import SignInStep, prefix
from genai_platform.steps.azure.unconfigured import UnconfiguredStep
from genai_platform.steps.catalog import build, with_unconfigured
from genai_platform.tools.azure.entra import Entra
from tests.sandbox.azure.keyless_world import Cluster

from .openai_world import account, configured, made, prepared
from .test_model_access import using
from .world import AzureWorld, Quiet, ask, store

ID = UnconfiguredStep.id


@pytest.fixture(scope="module")
def cluster(layout: SandboxLayout) -> Iterator[Cluster]:
    with Cluster(layout).published() as cluster:
        yield cluster


@pytest.fixture
def no_secrets(world: AzureWorld, cluster: Cluster) -> AzureWorld:
    """An environment whose models have no key and whose people sign in with Entra ID; then its configuration has neither."""
    before, person = world.models, f"{uuid4().hex[:8]}@example.com"
    ask(world.layout, "user", name=person)
    world.issuer = cluster.address
    using(world, f"{world.environment}-models")
    ModelAccessStep(world.clients()).apply(Quiet())
    people: dict[str, Any] = {"sign_in": {"people": [person]}, "litellm": {"sign_in": "entra"}, "langfuse": {"sign_in": "entra"}}
    world.configure(people)
    SignInStep(world.clients()).apply(Quiet())
    assert graph(world, people) == set()
    world.models = before
    world.configure()
    return world


def graph(world: AzureWorld, people: dict[str, Any] | None = None) -> set[str]:
    """The steps that a command gets in addition, for these settings of signing in."""
    clients = world.configure(people)
    plain = build(clients)
    return set(with_unconfigured(plain, clients).ids) - set(plain.ids)


def planned(world: AzureWorld) -> list[tuple[str, str]]:
    """What a plan would list for it."""
    step = UnconfiguredStep(world.clients())
    return [(change.action, change.object) for change in changes(ID, observe(step))]


def names(world: AzureWorld) -> set[str]:
    clients = world.clients()
    return {str(one["uniqueName"]) for one in entra_applications.applications(clients, entra_applications.prefix(world.target))}


def test_what_was_switched_off_is_planned_and_removed_after_its_users(no_secrets: AzureWorld) -> None:
    models, people = entra_applications.models_name(no_secrets.target), prefix(no_secrets.clients())
    assert planned(no_secrets) == [
        ("delete", f"application {models} and its roles"),
        ("delete", f"applications {people}langfuse and {people}litellm"),
    ]
    clients = no_secrets.clients()
    trust = str(next(one["id"] for one in clients.azure.graph.applications(models)))
    whole = with_unconfigured(build(clients), clients)
    assert {"litellm.proxy", "langfuse.chart"} <= set(whole.needs(ID))
    whole[ID].apply(Quiet())
    assert names(no_secrets) == set()
    with store(no_secrets) as directory:
        assert directory.all("federatedCredentials", trust) == []
    assert no_secrets.clients().secrets().sign_in == {}
    assert [line for line in audit.look(no_secrets.clients()).standing if line[0] != "azure:account"] == []
    assert graph(no_secrets) == set()


def test_a_client_secret_whose_application_is_gone_is_removed(no_secrets: AzureWorld) -> None:
    clients = no_secrets.clients()
    for entry in clients.azure.graph.applications(entra_applications.prefix(no_secrets.target)):
        clients.azure.graph.delete_application(str(entry["id"]))
    assert planned(no_secrets) == [("delete", "client secrets of sign-in")]
    UnconfiguredStep(clients).apply(Quiet())
    assert no_secrets.clients().secrets().sign_in == {}


def test_what_does_not_carry_the_environments_tags_stays(no_secrets: AzureWorld) -> None:
    clients = no_secrets.clients()
    entries = clients.azure.graph.applications(entra_applications.prefix(no_secrets.target))
    for entry in entries:
        tags = [tag for tag in entry["tags"] if not tag.startswith("genai:subscription")]
        clients.azure.graph.change_application(str(entry["id"]), {"tags": [*tags, "genai:subscription=another"]})
    assert [what for _, what in planned(no_secrets)] == ["client secrets of sign-in"]
    UnconfiguredStep(clients).apply(Quiet())
    there = clients.azure.graph.applications(entra_applications.prefix(no_secrets.target))
    assert {one["appId"] for one in there} == {one["appId"] for one in entries}


def test_what_cannot_be_seen_is_not_taken_for_nothing(no_secrets: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(self: Entra, start: str) -> None:
        raise Unreachable("Microsoft Graph does not answer")

    monkeypatch.setattr(Entra, "applications", silent)
    clients = no_secrets.clients()
    whole = with_unconfigured(build(clients), clients)
    assert observe(whole[ID]).state is State.UNKNOWN


def test_nothing_is_looked_for_without_an_azure_half(no_secrets: AzureWorld) -> None:
    clients = no_secrets.configure(enabled=False)
    plain = build(clients)
    assert with_unconfigured(plain, clients) is plain
    assert isinstance(plain, Graph)


def test_an_account_that_is_no_longer_configured_goes_with_its_deployments(world: AzureWorld) -> None:
    made(prepared(world))
    assert observe(UnconfiguredStep(world.clients())).state is State.ABSENT
    world.configure()
    assert planned(world) == [("delete", f"Azure OpenAI account acme-{world.environment}")]
    said = UnconfiguredStep(world.clients()).apply(Quiet())
    assert said == f"removed and purged acme-{world.environment}"
    assert account(world) is None
    assert observe(UnconfiguredStep(world.clients())).state is State.ABSENT


def test_an_account_under_another_name_takes_the_place_of_the_first(world: AzureWorld) -> None:
    made(prepared(world))
    configured(world, account=f"other-{world.environment}")
    assert planned(world) == [("delete", f"Azure OpenAI account acme-{world.environment}")]


def test_an_account_at_which_a_model_is_asked_stays(world: AzureWorld) -> None:
    made(prepared(world))
    found = account(world)
    assert found
    world.models = [{"name": "chat", "azure_deployment": "chat", "api_base": found.endpoint, "api_key_env": "ACME_KEY"}]
    world.configure()
    assert observe(UnconfiguredStep(world.clients())).state is State.ABSENT
