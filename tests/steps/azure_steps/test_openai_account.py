"""The account of Azure OpenAI and its deployments: made, found, changed, brought back, removed; and never somebody else's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from genai_platform.audit import azure as leftovers
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import MissingError, StepError
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps.azure import lookup, resource_providers, steps
from genai_platform.steps.azure.openai.account import key_variables, keys
from genai_platform.steps.infra.secrets import SecretsStep
from genai_platform.tools.azure.cognitive import READY, Deployment

from .openai_world import CHAT, EMBED, account, answers, configured, deployments, keyed, made, prepared, somebodys, step
from .world import AzureWorld, Quiet, store, until


@pytest.fixture
def world(world: AzureWorld) -> AzureWorld:
    return prepared(world)


# -- made and kept ------------------------------------------------------------------------------------
def test_without_the_table_there_is_no_step_no_question_and_no_provider(world: AzureWorld) -> None:
    assert "azure.openai" in {one.id for one in steps(world.clients())}
    world.configure()
    assert "azure.openai" not in {one.id for one in steps(world.clients())}
    assert not [id for id in answers(world) if id.startswith("azure.openai")]
    assert resource_providers.OPENAI not in resource_providers.needed(world.clients())


def test_it_is_made_with_its_deployments_and_then_left_alone(world: AzureWorld) -> None:
    assert step(world).observe().state is State.ABSENT
    made(world)
    found = account(world)
    assert found is not None
    assert (found.keyless, lookup.ours(world.target, dict(found.tags))) == (True, True)
    assert deployments(world) == {
        "chat": Deployment("chat", "gpt-4o-mini", "2024-07-18", "Standard", 3, READY),
        "embed": Deployment("embed", "text-embedding-3-small", "1", "GlobalStandard", 2, READY),
    }
    assert step(world).observe().state is State.PRESENT
    assert [one.text for one in answers(world).values() if one.error] == []
    progress = Quiet()
    step(world).apply(progress)
    assert progress.said == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"capacity": 4}, "chat: capacity 3, not 4"),
        ({"sku": "GlobalStandard"}, "chat: sku Standard, not GlobalStandard"),
        ({"name": "more", "capacity": 1}, "more is missing"),
    ],
)
def test_what_differs_is_said_and_changed_in_place(world: AzureWorld, changed: dict[str, Any], said: str) -> None:
    made(world)
    configured(world, CHAT | changed, EMBED)
    seen = step(world).observe()
    assert (seen.state, said in seen.evidence) == (State.DRIFTED, True)
    step(world).apply(Quiet())
    assert step(world).observe().state is State.PRESENT
    assert deployments(world)[{**CHAT, **changed}["name"]].capacity == {**CHAT, **changed}["capacity"]


def test_another_version_is_drift_and_none_is_the_regions_choice(world: AzureWorld) -> None:
    made(world)
    configured(world, CHAT | {"version": "2024-07-18"}, EMBED)
    assert step(world).observe().state is State.PRESENT
    configured(world, CHAT | {"version": "2023-01-01"}, EMBED)
    assert "version 2024-07-18, not 2023-01-01" in step(world).observe().evidence


def test_a_deployment_keeps_its_model_and_what_helps_is_said(world: AzureWorld) -> None:
    made(world)
    configured(world, CHAT | {"model": "gpt-4o"}, EMBED)
    assert "chat is of gpt-4o-mini, not of gpt-4o" in step(world).observe().evidence
    with pytest.raises(StepError, match="keeps its model") as refused:
        step(world).apply(Quiet())
    assert "another name" in refused.value.remedy
    assert deployments(world)["chat"].model == "gpt-4o-mini"


def test_a_deployment_that_is_not_configured_stays(world: AzureWorld) -> None:
    made(world)
    configured(world, CHAT)
    seen = step(world).observe()
    assert (seen.state, "embed in it is not configured" in seen.evidence) == (State.PRESENT, True)


def test_it_waits_while_another_deployment_is_being_changed(world: AzureWorld) -> None:
    made(world)
    configured(world, CHAT | {"capacity": 5})
    with store(world) as opened:
        (entry,) = [one for one in opened.all("arm") if one["name"] == "embed" and f"acme-{world.environment}/" in one["id"]]
        opened.put("arm", entry["id"], entry | {"_ready": time.time() + 2})
    progress = Quiet()
    step(world).apply(progress)
    assert any("waiting until Azure takes it" in text and "RequestConflict" in text for text in progress.said)
    assert deployments(world)["chat"].capacity == 5


def test_keys_are_switched_off_where_no_model_needs_one(world: AzureWorld) -> None:
    keyed(world)
    made(world)
    assert account(world).keyless is False  # type: ignore[union-attr]
    configured(world)
    assert "takes keys" in step(world).observe().evidence
    step(world).apply(Quiet())
    assert account(world).keyless is True  # type: ignore[union-attr]
    keyed(world)
    step(world).apply(Quiet())
    assert account(world).keyless is False  # type: ignore[union-attr]


# -- somebody else's ----------------------------------------------------------------------------------
def test_an_account_of_somebody_else_is_used_and_never_changed_or_removed(world: AzureWorld) -> None:
    group = somebodys(world, Deployment("chat", "gpt-4o-mini", "", "GlobalStandard", 1))
    configured(world, CHAT, resource_group=group)
    assert answers(world)["azure.openai_account"].error is None
    assert step(world).observe().state is State.PRESENT
    before = (world.clients().azure.cognitive.in_group(group), deployments(world, group))
    step(world).apply(Quiet())
    assert "stays" in step(world).destroy(Quiet())
    assert (world.clients().azure.cognitive.in_group(group), deployments(world, group)) == before
    assert not [entry for entry in leftovers.look(world.clients()).standing if "openai" in entry[0]]


def test_what_an_account_of_somebody_else_lacks_is_named_before_anything_is_made(world: AzureWorld) -> None:
    group = somebodys(world, Deployment("chat", "gpt-4o", "", "Standard", 1))
    configured(world, resource_group=group)
    found = answers(world)["azure.openai_account"]
    assert "embed is not deployed there" in found.text
    assert "chat is of gpt-4o, not of gpt-4o-mini" in found.text
    assert found.error is not None
    assert step(world).observe().state is State.DRIFTED
    with pytest.raises(MissingError, match="embed is not deployed"):
        step(world).apply(Quiet())
    assert set(deployments(world, group)) == {"chat"}


def test_a_name_that_is_taken_is_said_with_where_it_is(world: AzureWorld) -> None:
    group = somebodys(world)
    found = answers(world)["azure.openai_account"]
    assert found.error is not None
    assert f'set azure.openai.resource_group = "{group}"' in str(found.error.remedy)
    world.clients().azure.arm.make_group(lookup.group_name(world.target), "japaneast", world.target.tags)
    with pytest.raises(MissingError, match=f"is in the resource group {group}"):
        step(world).apply(Quiet())


def test_a_resource_group_that_is_not_there_is_said(world: AzureWorld) -> None:
    configured(world, resource_group="nowhere")
    found = answers(world)["azure.openai_account"]
    assert "nowhere (azure.openai.resource_group) does not exist" in found.text


# -- soft delete --------------------------------------------------------------------------------------
def deleted(world: AzureWorld, group: str = "") -> None:
    cognitive, name = world.clients().azure.cognitive, f"acme-{world.environment}"
    group = group or lookup.group_name(world.target)
    for one in cognitive.deployments(group, name):
        cognitive.remove(group, name, one.name)
    until(lambda: not cognitive.deployments(group, name))
    cognitive.delete(group, name)


def test_a_deleted_account_of_this_environment_is_restored(world: AzureWorld) -> None:
    made(world)
    deleted(world)
    assert answers(world)["azure.openai_account"].error is None
    progress = Quiet()
    step(world).apply(progress)
    assert any("restoring the account" in text for text in progress.said)
    assert step(world).observe().state is State.PRESENT


def test_one_in_another_place_is_purged_since_it_holds_the_name(world: AzureWorld) -> None:
    group = somebodys(world, tags=world.target.tags)
    deleted(world, group)
    progress = made(world)
    assert any("purging it" in text for text in progress.said)
    assert step(world).observe().state is State.PRESENT


def test_a_deleted_account_of_somebody_else_is_neither_restored_nor_purged(world: AzureWorld) -> None:
    group = somebodys(world)
    deleted(world, group)
    found = answers(world)["azure.openai_account"]
    assert found.error is not None
    assert f"az cognitiveservices account purge --name acme-{world.environment} --resource-group {group}" in str(found.error.remedy)
    with pytest.raises(MissingError, match="this environment did not make it"):
        step(world).apply(Quiet())
    assert len(world.clients().azure.cognitive.deleted(f"acme-{world.environment}")) == 1


def test_one_that_may_not_be_seen_is_not_restored_blindly(world: AzureWorld) -> None:
    made(world)
    deleted(world)
    blind = step(world)
    blind._cognitive.deleted = lambda name: []  # type: ignore[method-assign]
    with pytest.raises(MissingError, match="whose it was cannot be seen"):
        blind.apply(Quiet())


# -- down ---------------------------------------------------------------------------------------------
def test_on_the_way_down_it_is_deleted_and_purged(world: AzureWorld) -> None:
    made(world)
    assert [entry[:2] for entry in leftovers.look(world.clients()).standing if "openai" in entry[0]] == [
        ("azure:openai-account", f"acme-{world.environment}")
    ]
    assert "removed and purged" in step(world).destroy(Quiet())
    assert account(world) is None
    assert world.clients().azure.cognitive.deleted(f"acme-{world.environment}") == []
    assert step(world).observe().state is State.ABSENT
    assert step(world).destroy(Quiet()) == "nothing was there"


def test_one_that_was_deleted_and_not_purged_is_purged_by_the_next_down(world: AzureWorld) -> None:
    made(world)
    deleted(world)
    assert step(world).observe().state is State.DRIFTED
    assert any("deleted account of Azure OpenAI" in text for text in leftovers.look(world.clients()).retained)
    assert "purged" in step(world).destroy(Quiet())
    assert step(world).observe().state is State.ABSENT


def test_without_the_right_to_purge_the_name_is_retained_and_that_is_said(world: AzureWorld) -> None:
    made(world)
    bound = step(world)
    bound.clients.azure.arm.may = lambda scope, action: False  # type: ignore[method-assign]
    assert "no right to purge" in bound.destroy(Quiet())
    seen = bound.observe()
    assert (seen.state, "retained until" in seen.evidence) == (State.ABSENT, True)


# -- its key ------------------------------------------------------------------------------------------
class Secrets:
    """The platform's secret in memory."""

    secret_name = "genai/platform"

    def __init__(self) -> None:
        self.stored: PlatformSecrets | None = None

    def secret_document(self) -> dict[str, Any] | None:
        shown = lambda value: value.get_secret_value() if hasattr(value, "get_secret_value") else value  # noqa: E731
        if self.stored is None:
            return None
        found = {name: shown(getattr(self.stored, name)) for name in PlatformSecrets.model_fields}
        return found | {"upstream_keys": {name: shown(value) for name, value in self.stored.upstream_keys.items()}}

    def update_secrets(self, change: Any, *, fix: bool) -> bool:
        self.stored = change(self.stored)
        return True


def test_the_key_of_an_account_made_here_is_stored_without_anybody_copying_it(world: AzureWorld) -> None:
    keyed(world)
    secrets, clients = Secrets(), world.clients()
    clients.aws = secrets  # type: ignore[assignment]
    kept = SecretsStep(clients, {})
    assert "azure.openai" in kept.needs
    assert key_variables(clients) == {"ACME_KEY"}
    with pytest.raises(MissingError, match="not there yet"):
        kept.apply(Quiet())
    made(world)
    kept.apply(Quiet())
    assert secrets.stored is not None
    assert secrets.stored.upstream_keys["ACME_KEY"] == clients.azure.cognitive.key(
        lookup.group_name(world.target), f"acme-{world.environment}"
    )
    assert kept.observe().state is State.PRESENT
    with store(world) as opened:
        (entry,) = [one for one in opened.all("arm") if one["name"] == f"acme-{world.environment}"]
        opened.put("arm", entry["id"], entry | {"_keys": ["another", "one"]})
    assert kept.observe().state is State.DRIFTED, "a key that was regenerated"


def test_the_key_of_somebody_elses_account_is_not_read(world: AzureWorld) -> None:
    group = somebodys(world, Deployment("chat", "gpt-4o-mini", "", "Standard", 1))
    address = f"https://acme-{world.environment}.openai.azure.com"
    models = [{"name": "chat", "azure_deployment": "chat", "api_base": address, "api_key_env": "ACME_KEY"}]
    configured(world, CHAT, models=models, resource_group=group)
    assert (key_variables(world.clients()), keys(world.clients())) == (frozenset(), {})


# -- models without a key -----------------------------------------------------------------------------
def test_models_without_a_key_may_use_the_account_once_it_is_made_and_it_takes_no_keys(world: AzureWorld) -> None:
    address = f"https://acme-{world.environment}.openai.localhost:{world.layout.ports['cognitive']}"
    configured(world, CHAT, models=[{"name": "chat", "azure_deployment": "chat", "api_base": address, "auth": "entra"}])
    world.issuer = "https://localhost/cluster"
    assert [one.text for one in answers(world).values() if one.error] == []
    access = next(one for one in steps(world.clients()) if one.id == "azure.model_access")
    assert "azure.openai" in access.needs
    made(world)
    assert account(world).keyless is True  # type: ignore[union-attr]
    access.apply(Quiet())
    assert f"may use acme-{world.environment}" in access.observe().evidence
    step(world).destroy(Quiet())
    seen = observe(access)
    assert (seen.state, "is not there yet" in seen.evidence) == (State.DRIFTED, True), "what is left is still removed"
    access.destroy(Quiet())
