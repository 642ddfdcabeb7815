"""Resource Manager as it is: providers that are not registered, Azure Policy, purge protection, throttling, groups that take their time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from genai_platform.engine.step import State
from genai_platform.errors import MissingError, StepError
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import lookup, prerequisites, resource_providers, steps
from genai_platform.steps.azure.access import AccessStep
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.service import ServiceStep
from genai_platform.steps.azure.vault import VaultStep

from .changed import without
from .world import AzureWorld, Quiet, ask, store


@contextmanager
def policy(world: AzureWorld, **assignment: Any) -> Iterator[None]:
    """An assignment of Azure Policy at the environment's group."""
    id = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/{world.environment}"
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{lookup.group_name(world.target)}/"
    with store(world) as opened:
        opened.put("policyAssignments", id, {"id": id, "name": "a1", "displayName": "Allowed things only", "scope": scope, **assignment})
    try:
        yield
    finally:
        with store(world) as opened:
            opened.delete("policyAssignments", id)


# -- resource providers -----------------------------------------------------------------------------
def fresh(world: AzureWorld) -> AzureWorld:
    """The same environment in a subscription that nothing was ever made in."""
    return AzureWorld(world.layout, world.environment, ask(world.layout, "subscription", name="fresh"))


def registrations(world: AzureWorld) -> set[str]:
    arm = world.clients().azure.arm
    return {arm.registration(name) for name in resource_providers.NAMESPACES}


def test_looking_registers_nothing_and_is_no_error_in_a_fresh_subscription(world: AzureWorld) -> None:
    world = fresh(world)
    found = {one.id: one for one in prerequisites.looks(world.clients())}
    assert [one.text for one in found.values() if one.error] == []
    assert "`genai up` registers" in found["azure.providers"].text
    assert {step.observe().state for step in steps(world.clients())} == {State.ABSENT}
    assert registrations(world) == {"NotRegistered"}


def test_up_registers_what_is_missing_and_says_so(world: AzureWorld) -> None:
    world, progress = fresh(world), Quiet()
    GroupStep(world.clients()).apply(progress)
    assert "registering the resource provider Microsoft.KeyVault with the subscription" in progress.said
    VaultStep(world.clients()).apply(Quiet())
    assert registrations(world) == {"Registered"}
    assert GroupStep(world.clients()).observe().state is State.PRESENT


def test_a_group_that_exists_does_not_hide_an_unregistered_provider(world: AzureWorld) -> None:
    world = fresh(world)
    world.clients().azure.arm.make_group(lookup.group_name(world.target), "japaneast", world.target.tags)
    assert GroupStep(world.clients()).observe().state is State.DRIFTED
    with pytest.raises(StepError) as refused:
        VaultStep(world.clients()).apply(Quiet())
    assert "az provider register --namespace Microsoft.KeyVault" in refused.value.remedy


def test_anyone_who_may_not_register_is_told_the_command(world: AzureWorld) -> None:
    world = fresh(world)
    clients = world.clients()
    may = clients.azure.arm.may
    clients.azure.arm.may = lambda scope, action: "register" not in action and may(scope, action)  # type: ignore[method-assign]
    with pytest.raises(MissingError) as refused:
        resource_providers.look(clients)
    assert "az provider register --namespace Microsoft.ApiManagement --wait" in refused.value.remedy


# -- Azure Policy, purge protection -------------------------------------------------------------------
def test_what_a_policy_denies_is_told_with_its_name_and_not_as_a_missing_right(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    with policy(world, type="Microsoft.ApiManagement/service", effect="deny", skus=["BasicV2"]), pytest.raises(StepError) as refused:
        ServiceStep(world.clients()).apply(Quiet())
    assert "'Allowed things only' does not allow it" in refused.value.message
    assert "az policy assignment show" in refused.value.remedy
    assert (refused.value.id, "right" in refused.value.message + refused.value.remedy) == ("azure.policy", False)


def test_a_vault_that_a_policy_protects_from_purging_is_kept_and_recovered(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    properties = {"enablePurgeProtection": True}
    with policy(world, type="Microsoft.KeyVault/vaults", effect="modify", properties=properties):
        VaultStep(world.clients()).apply(Quiet())
    name = lookup.need_vault(world.clients()).name
    assert "retained until 20" in (said := VaultStep(world.clients()).destroy(Quiet()))
    assert "purge protection" in said
    progress = Quiet()
    VaultStep(world.clients()).apply(progress)
    assert any("recovering" in text for text in progress.said)
    assert lookup.need_vault(world.clients()).name == name


# -- throttling -----------------------------------------------------------------------------------------
def test_throttled_services_are_waited_for(world: AzureWorld) -> None:
    for kind in (GroupStep, VaultStep, ServiceStep, AccessStep):
        kind(world.clients()).apply(Quiet())
    ask(world.layout, "throttle", service="arm", requests=5, retry_after=0.1)
    clients = world.clients()
    vault = lookup.need_vault(clients)
    ask(world.layout, "throttle", service="vault", requests=1, retry_after=1)
    clients.azure.vaults.put(vault, "a", SecretStr("x"), {}, None)
    ask(world.layout, "throttle", service="arm", requests=5, retry_after=0.1)
    VaultStep(world.clients()).apply(Quiet())


# -- groups ---------------------------------------------------------------------------------------------
def test_a_group_that_is_being_deleted_is_waited_for(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{lookup.group_name(world.target)}"
    world.clients().azure.arm.delete_group(lookup.group_name(world.target))
    with store(world) as opened:
        opened.put("arm", id, {**(opened.get("arm", id) or {}), "_gone": time.time() + 1})
    assert "is being deleted" in GroupStep(world.clients()).observe().evidence
    GroupStep(world.clients()).apply(Quiet())
    assert GroupStep(world.clients()).observe().state is State.PRESENT


def test_rights_at_the_group_say_nothing_of_providers(world: AzureWorld) -> None:
    world.clients().azure.arm.make_group(lookup.group_name(world.target), "japaneast", {})
    scope = {"scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{lookup.group_name(world.target)}"}
    with without(world, "seededRoles", '"Contributor"', scope):
        assert world.clients().azure.arm.registration("Microsoft.KeyVault") == ""
        assert resource_providers.missing(world.clients()) == []
