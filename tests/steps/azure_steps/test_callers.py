"""Callers come and go as the configuration says, whatever happened before; nobody keeps a way in that nobody configured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from genai_platform.engine.observe import glance
from genai_platform.engine.step import Observation, State
from genai_platform.errors import StepError
from genai_platform.sandbox.azure.roles import SECRETS_OFFICER
from genai_platform.sandbox.azure.store import Store
from genai_platform.steps.azure import entra_applications, lookup, steps
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.callers import settings as caller_settings
from genai_platform.steps.azure.callers.observed import observe
from genai_platform.steps.azure.inventory import Inventory
from genai_platform.tools.aws.caller_secrets import Password, StoredCaller

from .world import AzureWorld, down, states, up

MODELS = {"models": ["gpt-4o-mini"]}


def somebodys_application(world: AzureWorld, name: str) -> str:
    """An application that existed before: its client id."""
    graph = world.clients().azure.graph
    client = str(graph.ensure_application(f"{name}-{world.environment}", {})["appId"])
    graph.ensure_principal(client)
    return client


def role_holders(world: AzureWorld) -> set[str]:
    """Those that hold the role, but the application that is there for checks."""
    return {
        id for id, name in observe(world.clients()).holders.items() if not name.startswith(entra_applications.probe_prefix(world.target))
    }


def vault_secrets(world: AzureWorld) -> set[str]:
    clients = world.clients()
    return {entry.name for entry in clients.azure.vaults.secrets(lookup.need_vault(clients))}


def test_another_client_id_takes_the_first_ones_way_in(world: AzureWorld) -> None:
    first, second = somebodys_application(world, "first"), somebodys_application(world, "second")
    world.configure(callers={"team-a": {**MODELS, "client_id": first}})
    up(world)
    world.configure(callers={"team-a": {**MODELS, "client_id": second}})
    assert up(world) == ["azure.callers"]
    assert set(world.litellm.users) == {second}
    assert vault_secrets(world) == {f"litellm-{second}"}
    assert len(role_holders(world)) == 1
    assert up(world) == []
    graph = world.clients().azure.graph
    assert graph.principal(first)
    down(world)
    assert graph.principal(second), "an application that existed before stays"
    assert not world.litellm.users


def test_an_own_application_goes_when_an_existing_one_takes_its_place(world: AzureWorld) -> None:
    up(world)
    theirs = somebodys_application(world, "theirs")
    world.configure(callers={"team-a": {**MODELS, "client_id": theirs}})
    assert up(world) == ["azure.callers"]
    assert not world.clients().azure.graph.applications(entra_applications.caller_prefix(world.target))
    assert set(world.litellm.users) == {theirs}
    assert keys.client(world.clients(), "team-a").secret is None
    assert up(world) == []


def test_whoever_is_not_configured_does_not_keep_the_role(world: AzureWorld) -> None:
    up(world)
    work = observe(world.clients())
    stranger = work.graph.ensure_principal(somebodys_application(world, "stranger"))
    work.graph.assign(work.api_principal, str(stranger["id"]), work.role)
    assert up(world) == ["azure.callers"]
    assert str(stranger["id"]) not in role_holders(world)
    assert up(world) == []


def test_a_client_secret_past_its_overlap_goes_with_the_next_up(world: AzureWorld) -> None:
    up(world)
    keys.rotate_secret(world.clients(), "team-a")
    assert up(world) == []
    work = observe(world.clients())
    old, fresh = work.kept["team-a"].passwords
    past = datetime.now(UTC) - timedelta(minutes=1)
    work.store.put("team-a", StoredCaller(work.kept["team-a"].client_id, (Password(old.key_id, old.value, old.expires, past), fresh)))
    assert up(world) == ["azure.callers"]
    (left,) = observe(world.clients()).applications["team-a"]["passwordCredentials"]
    assert left["keyId"] == fresh.key_id
    assert up(world) == []


def test_a_second_rotation_removes_what_is_past_its_overlap(world: AzureWorld) -> None:
    up(world)
    keys.rotate_secret(world.clients(), "team-a", overlap_hours=0)
    keys.rotate_secret(world.clients(), "team-a")
    held = observe(world.clients()).applications["team-a"]["passwordCredentials"]
    assert len(held) == 2
    assert keys.client(world.clients(), "team-a").secret


def test_a_revocation_without_a_stored_key_outlasts_the_next_up(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    client = keys.show(clients, "team-a").client_id
    clients.azure.vaults.remove(lookup.need_vault(clients), f"litellm-{client}")
    keys.revoke(world.clients(), "team-a")
    assert up(world) == []
    assert keys.show(world.clients(), "team-a").state == "revoked"
    assert not role_holders(world)
    assert all(key["blocked"] for key in world.litellm.keys.values())


def test_down_by_somebody_who_may_not_read_the_vault(world: AzureWorld) -> None:
    up(world)
    store = Store(world.layout.root / "azure" / "world.sqlite")
    vault = lookup.need_vault(world.clients()).id.lower()
    for entry in store.all("roleAssignments"):
        if entry["scope"].lower() == vault and entry["roleId"] == SECRETS_OFFICER:
            store.delete("roleAssignments", entry["id"])
            store.delete("arm", entry["id"])
    store.close()
    with pytest.raises(StepError, match="ForbiddenByRbac") as refused:
        keys.listed(world.clients())
    assert "access" in str(refused.value.remedy)
    down(world)
    assert states(world) == {State.ABSENT}


@pytest.mark.parametrize("shared_key", [False, True])
def test_a_glance_does_not_wait_for_litellm(world: AzureWorld, monkeypatch: pytest.MonkeyPatch, shared_key: bool) -> None:
    if shared_key:
        shared(world)
    up(world)
    asking = {"azure.callers", "azure.shared_key"} if shared_key else {"azure.callers"}

    def glances() -> dict[str, Observation]:
        return {step.id: glance(step) for step in steps(world.clients())}

    assert {one.state for one in glances().values()} == {State.PRESENT}
    world.kube.ready = 0
    found = glances()
    assert {id for id, one in found.items() if one.state is State.UNKNOWN} == asking
    assert all("none of its pods is ready" in found[id].evidence for id in asking)
    world.kube.ready = 1
    monkeypatch.setattr("genai_platform.steps.azure.callers.step.QUICK", 0.01)
    monkeypatch.setattr("genai_platform.steps.azure.shared_key.QUICK", 0.01)
    world.litellm.answers.clear()
    found = glances()
    world.litellm.answers.set()
    assert {id for id, one in found.items() if one.state is State.UNKNOWN} == asking
    assert all("no answer in time" in found[id].evidence for id in asking)


# -- shared mode --------------------------------------------------------------------------------------
def shared(world: AzureWorld) -> None:
    world.configure(apim={"keys": "shared"}, callers={"team-a": {}, "team-b": {}})


def test_shared_mode_has_one_key_that_the_service_reads_from_the_vault(world: AzureWorld) -> None:
    shared(world)
    assert len(up(world)) == 11
    assert up(world) == []
    (key,) = world.litellm.keys.values()
    clients = world.clients()
    api = str(entra_applications.need_api(clients)["appId"])
    assert key["key_alias"] == f"{api}.1"
    assert "/v1/chat/completions" in key["allowed_routes"]
    assert vault_secrets(world) == {f"litellm-{api}"}
    name = lookup.object_name(world.target, "shared-key")
    value = clients.azure.named_values.get(lookup.need_service(clients), name)
    assert value
    assert value.secret_identifier.endswith(f"/secrets/litellm-{api}")
    assert {key.state for key in keys.listed(clients)} == {"active"}
    held = Inventory(clients).stored_key("anybody")
    assert held
    assert held.get_secret_value() == world.litellm.values[-1]
    down(world)
    assert states(world) == {State.ABSENT}
    assert not world.litellm.keys


def test_the_shared_key_is_rotated_with_overlap(world: AzureWorld) -> None:
    shared(world)
    up(world)
    rotated = keys.rotate(world.clients(), "team-a")
    old, new = sorted(world.litellm.keys.values(), key=lambda entry: entry["key_alias"])
    assert rotated.old_alias == old["key_alias"]
    assert old["expires"]
    assert not new["expires"]
    clients = world.clients()
    service = lookup.need_service(clients)
    read = clients.azure.named_values.value(service, lookup.object_name(world.target, "shared-key"))
    assert read.get_secret_value() == world.litellm.values[-1]
    assert up(world) == []


def test_a_revoked_caller_of_the_shared_key_loses_the_role_alone(world: AzureWorld) -> None:
    shared(world)
    up(world)
    keys.revoke(world.clients(), "team-a")
    assert {key.caller: key.state for key in keys.listed(world.clients())} == {"team-a": "revoked", "team-b": "active"}
    assert not any(key["blocked"] for key in world.litellm.keys.values())
    assert up(world) == []
    keys.issue(world.clients(), ["team-a"], reinstate=True)
    assert len(role_holders(world)) == 2
    assert up(world) == []


def test_from_one_mode_to_the_other_and_back(world: AzureWorld) -> None:
    up(world)
    shared(world)
    up(world)
    assert up(world) == []
    assert len(world.litellm.keys) == len(world.litellm.users) == len(vault_secrets(world)) == 1
    world.configure()
    up(world)
    assert up(world) == []
    assert [user["user_alias"] for user in world.litellm.users.values()] == ["team-a"]
    assert len(world.litellm.keys) == len(vault_secrets(world)) == 1


def test_shared_mode_says_what_has_no_effect(world: AzureWorld) -> None:
    shared(world)
    assert "no effect" not in caller_settings.callers(world.target)
    world.configure(apim={"keys": "shared"}, callers={"team-a": {"max_budget": 5}})
    assert "no effect" in caller_settings.callers(world.target)
    assert caller_settings.everybody(world.target).models == ()
    world.configure(apim={"keys": "shared"}, callers={"team-a": MODELS})
    assert caller_settings.everybody(world.target).models == ("gpt-4o-mini",)


def test_a_revocation_that_was_interrupted_is_not_undone(world: AzureWorld) -> None:
    up(world)
    world.litellm.fail_after = 0
    with pytest.raises(StepError):
        keys.revoke(world.clients(), "team-a")
    world.litellm.fail_after = None
    assert up(world) == []
    assert keys.show(world.clients(), "team-a").state == "revoked"
    keys.revoke(world.clients(), "team-a")
    assert all(key["blocked"] for key in world.litellm.keys.values())


def test_steps_that_are_needed_are_there(world: AzureWorld) -> None:
    shared(world)
    found = {step.id: step for step in steps(world.clients())}
    assert "azure.shared_key" in found["azure.policy"].needs
