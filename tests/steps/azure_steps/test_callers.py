"""Callers come and go as the configuration says, whatever happened before; nobody keeps a way in that nobody configured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from genai_platform.errors import StepError
from genai_platform.graph.step import State
from genai_platform.sandbox.azure.roles import SECRETS_OFFICER
from genai_platform.sandbox.azure.store import Store
from genai_platform.steps.azure import directory, keys, site, steps, wanted
from genai_platform.steps.azure.callers_seen import Callers
from genai_platform.steps.azure.estate import Estate
from genai_platform.tools.caller_store import Kept, Password

from .world import AzureWorld, down, states, up

MODELS = {"models": ["gpt-4o-mini"]}


def somebodys_application(world: AzureWorld, name: str) -> str:
    """An application that existed before: its client id."""
    graph = world.doors().azure.graph
    client = str(graph.ensure_application(f"{name}-{world.environment}", {})["appId"])
    graph.ensure_principal(client)
    return client


def role_holders(world: AzureWorld) -> set[str]:
    """Those that hold the role, but the application that is there for checks."""
    return {id for id, name in Callers(world.doors()).holders.items() if not name.startswith(directory.probe_prefix(world.target))}


def vault_secrets(world: AzureWorld) -> set[str]:
    doors = world.doors()
    return {entry.name for entry in doors.azure.vaults.secrets(site.need_vault(doors))}


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
    graph = world.doors().azure.graph
    assert graph.principal(first)
    down(world)
    assert graph.principal(second), "an application that existed before stays"
    assert not world.litellm.users


def test_an_own_application_goes_when_an_existing_one_takes_its_place(world: AzureWorld) -> None:
    up(world)
    theirs = somebodys_application(world, "theirs")
    world.configure(callers={"team-a": {**MODELS, "client_id": theirs}})
    assert up(world) == ["azure.callers"]
    assert not world.doors().azure.graph.applications(directory.caller_prefix(world.target))
    assert set(world.litellm.users) == {theirs}
    assert keys.client(world.doors(), "team-a").secret is None
    assert up(world) == []


def test_whoever_is_not_configured_does_not_keep_the_role(world: AzureWorld) -> None:
    up(world)
    work = Callers(world.doors())
    stranger = work.graph.ensure_principal(somebodys_application(world, "stranger"))
    work.graph.assign(work.api_principal, str(stranger["id"]), work.role)
    assert up(world) == ["azure.callers"]
    assert str(stranger["id"]) not in role_holders(world)
    assert up(world) == []


def test_a_client_secret_past_its_overlap_goes_with_the_next_up(world: AzureWorld) -> None:
    up(world)
    keys.rotate_secret(world.doors(), "team-a")
    assert up(world) == []
    work = Callers(world.doors())
    old, fresh = work.kept["team-a"].passwords
    past = datetime.now(UTC) - timedelta(minutes=1)
    work.store.put("team-a", Kept(work.kept["team-a"].client_id, (Password(old.key_id, old.value, old.expires, past), fresh)))
    assert up(world) == ["azure.callers"]
    (left,) = Callers(world.doors()).applications["team-a"]["passwordCredentials"]
    assert left["keyId"] == fresh.key_id
    assert up(world) == []


def test_a_second_rotation_removes_what_is_past_its_overlap(world: AzureWorld) -> None:
    up(world)
    keys.rotate_secret(world.doors(), "team-a", overlap_hours=0)
    keys.rotate_secret(world.doors(), "team-a")
    held = Callers(world.doors()).applications["team-a"]["passwordCredentials"]
    assert len(held) == 2
    assert keys.client(world.doors(), "team-a").secret


def test_a_revocation_without_a_stored_key_outlasts_the_next_up(world: AzureWorld) -> None:
    up(world)
    doors = world.doors()
    client = keys.show(doors, "team-a").client_id
    doors.azure.vaults.remove(site.need_vault(doors), f"litellm-{client}")
    keys.revoke(world.doors(), "team-a")
    assert up(world) == []
    assert keys.show(world.doors(), "team-a").state == "revoked"
    assert not role_holders(world)
    assert all(key["blocked"] for key in world.litellm.keys.values())


def test_down_by_somebody_who_may_not_read_the_vault(world: AzureWorld) -> None:
    up(world)
    store = Store(world.place.root / "azure" / "world.sqlite")
    vault = site.need_vault(world.doors()).id.lower()
    for entry in store.all("roleAssignments"):
        if entry["scope"].lower() == vault and entry["roleId"] == SECRETS_OFFICER:
            store.delete("roleAssignments", entry["id"])
            store.delete("arm", entry["id"])
    store.close()
    with pytest.raises(StepError, match="ForbiddenByRbac") as refused:
        keys.listed(world.doors())
    assert "access" in refused.value.remedy
    down(world)
    assert states(world) == {State.ABSENT}


# -- shared mode --------------------------------------------------------------------------------------
def shared(world: AzureWorld) -> None:
    world.configure(apim={"keys": "shared"}, callers={"team-a": {}, "team-b": {}})


def test_shared_mode_has_one_key_that_the_service_reads_from_the_vault(world: AzureWorld) -> None:
    shared(world)
    assert len(up(world)) == 11
    assert up(world) == []
    (key,) = world.litellm.keys.values()
    doors = world.doors()
    api = str(directory.need_api(doors)["appId"])
    assert key["key_alias"] == f"{api}.1"
    assert "/v1/chat/completions" in key["allowed_routes"]
    assert vault_secrets(world) == {f"litellm-{api}"}
    name = site.object_name(world.target, "shared-key")
    value = doors.azure.named_values.get(site.need_service(doors), name)
    assert value
    assert value.secret_identifier.endswith(f"/secrets/litellm-{api}")
    assert {key.state for key in keys.listed(doors)} == {"active"}
    held = Estate(doors).stored_key("anybody")
    assert held
    assert held.get_secret_value() == world.litellm.values[-1]
    down(world)
    assert states(world) == {State.ABSENT}
    assert not world.litellm.keys


def test_the_shared_key_is_rotated_with_overlap(world: AzureWorld) -> None:
    shared(world)
    up(world)
    rotated = keys.rotate(world.doors(), "team-a")
    old, new = sorted(world.litellm.keys.values(), key=lambda entry: entry["key_alias"])
    assert rotated.old_alias == old["key_alias"]
    assert old["expires"]
    assert not new["expires"]
    doors = world.doors()
    service = site.need_service(doors)
    read = doors.azure.named_values.value(service, site.object_name(world.target, "shared-key"))
    assert read.get_secret_value() == world.litellm.values[-1]
    assert up(world) == []


def test_a_revoked_caller_of_the_shared_key_loses_the_role_alone(world: AzureWorld) -> None:
    shared(world)
    up(world)
    keys.revoke(world.doors(), "team-a")
    assert {key.caller: key.state for key in keys.listed(world.doors())} == {"team-a": "revoked", "team-b": "active"}
    assert not any(key["blocked"] for key in world.litellm.keys.values())
    assert up(world) == []
    keys.issue(world.doors(), ["team-a"], reinstate=True)
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
    assert "no effect" not in wanted.callers(world.target)
    world.configure(apim={"keys": "shared"}, callers={"team-a": {"max_budget": 5}})
    assert "no effect" in wanted.callers(world.target)
    assert wanted.everybody(world.target).models == ()
    world.configure(apim={"keys": "shared"}, callers={"team-a": MODELS})
    assert wanted.everybody(world.target).models == ("gpt-4o-mini",)


def test_a_revocation_that_was_interrupted_is_not_undone(world: AzureWorld) -> None:
    up(world)
    world.litellm.fail_after = 0
    with pytest.raises(StepError):
        keys.revoke(world.doors(), "team-a")
    world.litellm.fail_after = None
    assert up(world) == []
    assert keys.show(world.doors(), "team-a").state == "revoked"
    keys.revoke(world.doors(), "team-a")
    assert all(key["blocked"] for key in world.litellm.keys.values())


def test_steps_that_are_needed_are_there(world: AzureWorld) -> None:
    shared(world)
    found = {step.id: step for step in steps(world.doors())}
    assert "azure.shared_key" in found["azure.policy"].needs
