"""What an API Management service goes through: it fails, is busy, is retained, frees its name late, and does not become another tier."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from genai_platform.audit import azure as azure_leftovers
from genai_platform.engine.step import State
from genai_platform.errors import ConfigError, Conflict, Forbidden, StepError
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import lookup, name_availability, preflight, service_name, steps
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.service import ServiceStep
from genai_platform.steps.azure.vault import VaultStep
from genai_platform.tools.azure.apim import Service

from .world import AzureWorld, Quiet, store, until


def made(world: AzureWorld) -> Service:
    """A service of the environment."""
    GroupStep(world.clients()).apply(Quiet())
    ServiceStep(world.clients()).apply(Quiet())
    return lookup.need_service(world.clients())


def deleted(world: AzureWorld) -> Service:
    """A service of the environment that was made and deleted, and not purged."""
    service = made(world)
    world.clients().azure.apim.begin_delete(service.group, service.name)
    until(lambda: world.clients().azure.apim.deleted(service.name))
    return service


def change(world: AzureWorld, kind: str, id: str, **fields: Any) -> None:
    """Other fields of what the stand-ins remember."""
    with store(world) as opened:
        found = opened.get(kind, id)
        assert found
        opened.put(kind, id, {**found, **fields})


def fail(world: AzureWorld, times: int) -> None:
    """The next services that are made in the environment's group end Failed."""
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{lookup.group_name(world.target)}/"
    with store(world) as opened:
        opened.put("failures", id, {"id": id, "left": times})


# -- Failed -----------------------------------------------------------------------------------------
def test_a_service_that_fails_once_is_deleted_and_made_again(world: AzureWorld) -> None:
    fail(world, 1)
    GroupStep(world.clients()).apply(Quiet())
    progress = Quiet()
    ServiceStep(world.clients()).apply(progress)
    assert any("is Failed: deleting it, to begin again" in text for text in progress.said)
    assert ServiceStep(world.clients()).observe().state is State.PRESENT


def test_a_service_that_fails_twice_is_an_error_and_the_next_run_begins_again(world: AzureWorld) -> None:
    fail(world, 3)  # the next run has two tries again
    GroupStep(world.clients()).apply(Quiet())
    with pytest.raises(StepError, match="twice") as refused:
        ServiceStep(world.clients()).apply(Quiet())
    assert "az monitor activity-log list" in refused.value.remedy
    assert ServiceStep(world.clients()).observe().state is State.DRIFTED
    ServiceStep(world.clients()).apply(Quiet())
    assert ServiceStep(world.clients()).observe().state is State.PRESENT


def test_a_failed_service_is_removed_without_waiting_for_a_tombstone(world: AzureWorld) -> None:
    fail(world, 2)
    GroupStep(world.clients()).apply(Quiet())
    with pytest.raises(StepError):
        ServiceStep(world.clients()).apply(Quiet())
    name, progress = lookup.need_service(world.clients()).name, Quiet()
    assert ServiceStep(world.clients()).destroy(progress) == f"removed {name}"
    assert f"{name}: deleted" not in progress.said
    assert ServiceStep(world.clients()).observe().state is State.ABSENT


# -- busy -------------------------------------------------------------------------------------------
def test_a_service_that_is_still_made_is_deleted_once_it_can_be(world: AzureWorld) -> None:
    service = made(world)
    change(world, "arm", service.id, _ready=time.time() + 1.5, _passing="Activating")
    with pytest.raises(StepError) as refused:
        world.clients().azure.apim.begin_delete(service.group, service.name)
    assert refused.value.id == "azure.busy"
    progress = Quiet()
    assert "removed" in ServiceStep(world.clients()).destroy(progress)
    assert any("is Activating: waiting" in text for text in progress.said)
    assert ServiceStep(world.clients()).observe().state is State.ABSENT


@pytest.mark.parametrize("passing", [True, False])
def test_a_conflict_is_waited_for_while_the_state_passes(world: AzureWorld, passing: bool) -> None:
    """Which code Azure uses then is not known; in a state that stays, it is a refusal."""
    service, clients = made(world), world.clients()
    if passing:
        change(world, "arm", service.id, _ready=time.time() + 1.5, _passing="Activating")
    begin, refused = clients.azure.apim.begin_delete, iter(["Conflict"])

    def conflict(group: str, name: str) -> None:
        if text := next(refused, None):
            raise Conflict(text)
        begin(group, name)

    clients.azure.apim.begin_delete = conflict  # type: ignore[method-assign]
    if passing:
        assert "removed" in ServiceStep(clients).destroy(Quiet())
    else:
        with pytest.raises(StepError, match="Conflict"):
            ServiceStep(clients).destroy(Quiet())


def test_a_deletion_that_is_under_way_is_waited_for(world: AzureWorld) -> None:
    service = made(world)
    world.clients().azure.apim.begin_delete(service.group, service.name)
    change(world, "arm", service.id, _deleted=time.time() + 1)
    step = ServiceStep(world.clients())
    step.limit = 80.0  # 20 s for each wait
    assert "Terminating" in step.observe().evidence
    step.apply(Quiet())
    assert ServiceStep(world.clients()).observe().state is State.PRESENT


# -- tiers ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sku", ["Developer", "Consumption"])
def test_a_tier_that_azure_does_not_change_into_is_refused_before_anything_is_sent(world: AzureWorld, sku: str) -> None:
    service = made(world)
    world.configure(apim={"sku": sku, "streaming": False, "keys": "shared"})
    for ask in (lambda: name_availability.service(world.clients()), lambda: ServiceStep(world.clients()).apply(Quiet())):
        with pytest.raises(ConfigError, match=rf"BasicV2 \(v2\) and cannot become {sku}") as refused:
            ask()
        assert "set it back to 'BasicV2'" in str(refused.value.remedy)
    body = {"location": "japaneast", "sku": {"name": sku, "capacity": 1}, "properties": {}}
    with pytest.raises(StepError, match="is not supported"):
        world.clients().azure.apim.begin(service.group, service.name, body)


def test_a_tier_of_the_same_kind_is_changed(world: AzureWorld) -> None:
    made(world)
    world.configure(apim={"sku": "StandardV2"})
    assert ServiceStep(world.clients()).observe().state is State.DRIFTED
    ServiceStep(world.clients()).apply(Quiet())
    assert lookup.need_service(world.clients()).sku == "StandardV2"
    assert ServiceStep(world.clients()).observe().state is State.PRESENT


# -- regions, tombstones, names ------------------------------------------------------------------------
def test_a_region_is_the_same_under_its_display_name(world: AzureWorld) -> None:
    service = made(world)
    with store(world) as opened:
        assert (opened.get("arm", service.id) or {})["location"] == "Japan East"
    assert service.location == "japaneast"
    assert "removed and purged" in ServiceStep(world.clients()).destroy(Quiet())
    assert world.clients().azure.apim.deleted(service.name) is None


def test_so_is_a_vaults(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    VaultStep(world.clients()).apply(Quiet())
    change(world, "arm", lookup.need_vault(world.clients()).id, location="Japan East")
    assert lookup.need_vault(world.clients()).location == "japaneast"
    assert "removed and purged" in VaultStep(world.clients()).destroy(Quiet())


def test_a_name_that_was_purged_is_waited_for(world: AzureWorld) -> None:
    service, progress = deleted(world), Quiet()
    clients = world.clients()
    available, left = clients.azure.apim.available, iter(range(2))
    clients.azure.apim.available = lambda name: "in use" if next(left, None) is not None else available(name)  # type: ignore[method-assign]
    ServiceStep(clients).apply(progress)
    assert any("waiting until its name is free" in text for text in progress.said)
    assert lookup.need_service(world.clients()).name == service.name


def test_a_name_that_stays_taken_after_a_purge_is_left_for_another(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_name, "FREED", 0.6)
    monkeypatch.setattr("genai_platform.steps.azure.vault._FREED", 0.6)
    service = deleted(world)
    VaultStep(world.clients()).apply(Quiet())
    vault = lookup.need_vault(world.clients()).name
    world.clients().azure.vaults.delete(lookup.group_name(world.target), vault)
    for kind in (ServiceStep, VaultStep):
        clients, progress = world.clients(), Quiet()
        for client in (clients.azure.apim, clients.azure.vaults):
            ask = client.available
            client.available = lambda name, ask=ask: "in use" if name in (service.name, vault) else ask(name)  # type: ignore[method-assign]
        kind(clients).apply(progress)
        assert any("taking another name" in text for text in progress.said)
    assert lookup.need_service(world.clients()).name == lookup.need_vault(world.clients()).name == lookup.candidates(world.target)[1]


@pytest.mark.parametrize("purge", [True, False])
def test_a_tombstone_in_another_region_is_found(world: AzureWorld, purge: bool) -> None:
    service = deleted(world)
    world.configure(location="westeurope")
    clients, progress = world.clients(), Quiet()
    assert any(service.name in line for line in azure_leftovers.look(clients).retained)
    assert "soft-deleted" in name_availability.service(clients)
    if not purge:

        def refuse(*given: object) -> None:
            raise Forbidden("AuthorizationFailed", id="azure.403")

        clients.azure.apim.begin_purge = refuse  # type: ignore[method-assign]
    ServiceStep(clients).apply(progress)
    found = lookup.need_service(world.clients())
    assert found.location == "westeurope"
    assert found.name == (service.name if purge else lookup.candidates(world.target)[1])


def test_a_restore_that_is_refused_at_first_is_tried_again(world: AzureWorld) -> None:
    service = deleted(world)
    change(world, "deletedServices", service.name, at=time.time() + 1)
    clients, progress = world.clients(), Quiet()

    def refuse(*given: object) -> None:
        raise Forbidden("AuthorizationFailed", id="azure.403")

    clients.azure.apim.begin_purge = refuse  # type: ignore[method-assign]
    ServiceStep(clients).apply(progress)
    assert f"waiting until {service.name} can be restored" in progress.said
    assert lookup.need_service(world.clients()).name == service.name


# -- bodies -----------------------------------------------------------------------------------------
def test_a_backend_is_sent_as_it_is_documented(world: AzureWorld) -> None:
    service = made(world)
    world.clients().azure.apim.put_backend(service, "b", "https://example.com", verified=False)
    with store(world) as opened:
        sent = (opened.get("arm", f"{service.id}/backends/b") or {})["properties"]
    assert sent.pop("tls") == {"validateCertificateChain": False, "validateCertificateName": False}
    assert set(sent) == {"url", "protocol", "description"}


@pytest.mark.parametrize("domain", [None, "genai.example.com"])
def test_the_load_balancers_certificate_is_checked_where_it_can_be(world: AzureWorld, domain: str | None) -> None:
    service = made(world)
    settings = world.target.settings
    ingress = settings.ingress.model_copy(update={"domain": domain})
    world.target = replace(world.target, settings=settings.model_copy(update={"ingress": ingress}))
    for step in steps(world.clients()):
        if step.id in ("azure.ingress", "azure.api"):
            step.apply(Quiet())
    with store(world) as opened:
        sent = (opened.get("arm", f"{service.id}/backends/{lookup.object_name(world.target, 'litellm')}") or {})["properties"]["tls"]
    assert set(sent.values()) == {domain is not None}


def test_a_service_is_not_made_without_an_address_that_azure_may_write_to(world: AzureWorld) -> None:
    world.configure(apim={"publisher_email": None})
    with pytest.raises(ConfigError, match=r"azure\.apim\.publisher_email is not set"):
        preflight(world.target)
    world.configure(apim={"publisher_email": None, "existing": "somebodys"})
    preflight(world.target)
