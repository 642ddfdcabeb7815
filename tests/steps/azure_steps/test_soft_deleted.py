"""Names that deleted vaults, services and applications still hold: purged, else brought back, else another name; and each is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import Forbidden, StepError
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import entra_applications, lookup, name_availability, prerequisites, rights, steps
from genai_platform.steps.azure.application import ApplicationStep
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.service import ServiceStep
from genai_platform.steps.azure.vault import VaultStep
from genai_platform.steps.clients import Clients

from .changed import without
from .world import AzureWorld, Quiet, down, states, up

REFUSED = Forbidden("AuthorizationFailed", id="azure.403")


def refuse(*args: object, **more: object) -> Any:
    raise REFUSED


def forbid(clients: Clients, *, again: bool) -> Clients:
    """Doors through which nothing can be purged and, unless ``again``, nothing brought back."""
    vaults, apim, graph = clients.azure.vaults, clients.azure.apim, clients.azure.graph
    vaults.purge = apim.begin_purge = graph.purge = refuse  # type: ignore[method-assign]
    if not again:
        make, begin = vaults.make, apim.begin
        vaults.make = lambda *args, recover=False: refuse() if recover else make(*args)  # type: ignore[method-assign]
        apim.begin = lambda group, name, body: refuse() if "restore" in body["properties"] else begin(group, name, body)  # type: ignore[method-assign]
    return clients


def deleted_vault(world: AzureWorld) -> str:
    """The name of a vault that was made and deleted."""
    GroupStep(world.clients()).apply(Quiet())
    VaultStep(world.clients()).apply(Quiet())
    clients = world.clients()
    name = lookup.need_vault(clients).name
    clients.azure.vaults.delete(lookup.group_name(world.target), name)
    return name


def deleted_service(world: AzureWorld) -> str:
    """The name of a service that was made and deleted."""
    GroupStep(world.clients()).apply(Quiet())
    ServiceStep(world.clients()).apply(Quiet())
    clients = world.clients()
    name = lookup.need_service(clients).name
    clients.azure.apim.begin_delete(lookup.group_name(world.target), name)
    return name


@pytest.mark.parametrize(
    ("purge", "again", "said"),
    [(True, True, "purging it"), (False, True, "recovering"), (False, False, "can be neither purged nor recovered: taking another name")],
)
def test_a_deleted_vault(world: AzureWorld, purge: bool, again: bool, said: str) -> None:
    name, progress = deleted_vault(world), Quiet()
    clients = world.clients() if purge else forbid(world.clients(), again=again)
    VaultStep(clients).apply(progress)
    assert any(name in text and said in text for text in progress.said)
    assert lookup.need_vault(world.clients()).name == (name if purge or again else lookup.candidates(world.target)[1])
    assert VaultStep(world.clients()).observe().state is State.PRESENT


@pytest.mark.parametrize(
    ("purge", "again", "said"),
    [(True, True, "purging it"), (False, True, "restoring"), (False, False, "can be neither purged nor restored: taking another name")],
)
def test_a_deleted_service(world: AzureWorld, purge: bool, again: bool, said: str) -> None:
    name, progress = deleted_service(world), Quiet()
    clients = world.clients() if purge else forbid(world.clients(), again=again)
    ServiceStep(clients).apply(progress)
    assert any(name in text and said in text for text in progress.said)
    found = lookup.need_service(world.clients())
    assert found.name == (name if purge or again else lookup.candidates(world.target)[1])
    assert lookup.ours(world.target, dict(found.tags))
    assert ServiceStep(world.clients()).observe().state is State.PRESENT


@pytest.mark.parametrize("purge", [True, False])
def test_a_deleted_application(world: AzureWorld, purge: bool) -> None:
    ApplicationStep(world.clients()).apply(Quiet())
    clients = world.clients()
    first = entra_applications.need_api(clients)
    clients.azure.graph.delete_application(str(first["id"]))
    progress = Quiet()
    ApplicationStep(clients if purge else forbid(clients, again=True)).apply(progress)
    assert any("blocks the name" in text for text in progress.said)
    assert (entra_applications.need_api(world.clients())["appId"] != first["appId"]) is purge
    assert ApplicationStep(world.clients()).observe().state is State.PRESENT


@pytest.mark.parametrize(("kind", "what"), [(VaultStep, "vault"), (ServiceStep, "service")])
def test_when_every_name_is_held_it_is_an_error(world: AzureWorld, kind: type[VaultStep] | type[ServiceStep], what: str) -> None:
    for _ in lookup.candidates(world.target):
        delete_next(world, kind)
    with pytest.raises(StepError, match=f"every name for the {what}"):
        kind(forbid(world.clients(), again=False)).apply(Quiet())


def delete_next(world: AzureWorld, kind: type[VaultStep] | type[ServiceStep]) -> None:
    """One more candidate's name is held by something deleted."""
    GroupStep(world.clients()).apply(Quiet())
    kind(forbid(world.clients(), again=False)).apply(Quiet())
    clients, group = world.clients(), lookup.group_name(world.target)
    if kind is VaultStep:
        clients.azure.vaults.delete(group, lookup.need_vault(clients).name)
    else:
        clients.azure.apim.begin_delete(group, lookup.need_service(clients).name)


# -- rights at the resource group alone -----------------------------------------------------------------
@contextmanager
def group_rights(world: AzureWorld) -> Iterator[None]:
    """The deployer has its roles at the group, which exists, and nothing at the subscription."""
    name = lookup.group_name(world.target)
    world.clients().azure.arm.make_group(name, "japaneast", {"owner": "somebody"})
    scope = {"scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"}
    with ExitStack() as held:
        for role in ("Contributor", "Role Based Access Control Administrator"):
            held.enter_context(without(world, "seededRoles", f'"{role}"', scope))
        yield


def test_rights_at_the_group_are_enough_to_come_go_and_come_again(world: AzureWorld) -> None:
    with group_rights(world):
        assert [found.text for found in prerequisites.looks(world.clients()) if found.error] == []
        assert "no right to ask" in name_availability.vault(world.clients())
        assert "may not purge" in rights.purge(world.clients())
        assert "azure.vault" in up(world)
        clients = world.clients()
        vault, service = lookup.need_vault(clients).name, lookup.need_service(clients).name
        down(world)
        assert {step.id for step in steps(world.clients()) if step.observe().state is not State.ABSENT} == {"azure.group"}
        assert "azure.vault" in up(world)
        clients = world.clients()
        assert (lookup.need_vault(clients).name, lookup.need_service(clients).name) == (vault, service), "recovered and restored"
        assert states(world) == {State.PRESENT}


def test_names_that_cannot_be_brought_back_are_left_for_others(world: AzureWorld) -> None:
    with group_rights(world):
        up(world)
        down(world)
        for kind, said in ((VaultStep, "recovered"), (ServiceStep, "restored")):
            progress = Quiet()
            kind(forbid(world.clients(), again=False)).apply(progress)
            assert any(f"can be neither purged nor {said}: taking another name" in text for text in progress.said)
        clients = world.clients()
        assert lookup.need_vault(clients).name == lookup.need_service(clients).name == lookup.candidates(world.target)[1]
