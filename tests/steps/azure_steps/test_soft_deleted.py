"""Names that deleted vaults, services and applications still hold: purged, else brought back, else another name; and each is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from genai_platform.errors import StepError
from genai_platform.graph.step import State
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import directory, names, questions, rights, site, steps
from genai_platform.steps.azure.application import ApplicationStep
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.service import ServiceStep
from genai_platform.steps.azure.vault import VaultStep
from genai_platform.steps.doors import Doors

from .world import AzureWorld, Quiet, down, states, up, without

REFUSED = StepError("AuthorizationFailed", id="azure.403")


def refuse(*args: object, **more: object) -> Any:
    raise REFUSED


def forbid(doors: Doors, *, again: bool) -> Doors:
    """Doors through which nothing can be purged and, unless ``again``, nothing brought back."""
    vaults, apim, graph = doors.azure.vaults, doors.azure.apim, doors.azure.graph
    vaults.purge = apim.begin_purge = graph.purge = refuse  # type: ignore[method-assign]
    if not again:
        make, begin = vaults.make, apim.begin
        vaults.make = lambda *args, recover=False: refuse() if recover else make(*args)  # type: ignore[method-assign]
        apim.begin = lambda group, name, body: refuse() if "restore" in body["properties"] else begin(group, name, body)  # type: ignore[method-assign]
    return doors


def deleted_vault(world: AzureWorld) -> str:
    """The name of a vault that was made and deleted."""
    GroupStep(world.doors()).apply(Quiet())
    VaultStep(world.doors()).apply(Quiet())
    doors = world.doors()
    name = site.need_vault(doors).name
    doors.azure.vaults.delete(site.group_name(world.target), name)
    return name


def deleted_service(world: AzureWorld) -> str:
    """The name of a service that was made and deleted."""
    GroupStep(world.doors()).apply(Quiet())
    ServiceStep(world.doors()).apply(Quiet())
    doors = world.doors()
    name = site.need_service(doors).name
    doors.azure.apim.begin_delete(site.group_name(world.target), name)
    return name


@pytest.mark.parametrize(
    ("purge", "again", "said"),
    [(True, True, "purging it"), (False, True, "recovering"), (False, False, "can be neither purged nor recovered: taking another name")],
)
def test_a_deleted_vault(world: AzureWorld, purge: bool, again: bool, said: str) -> None:
    name, progress = deleted_vault(world), Quiet()
    doors = world.doors() if purge else forbid(world.doors(), again=again)
    VaultStep(doors).apply(progress)
    assert any(name in text and said in text for text in progress.said)
    assert site.need_vault(world.doors()).name == (name if purge or again else site.candidates(world.target)[1])
    assert VaultStep(world.doors()).probe().state is State.PRESENT


@pytest.mark.parametrize(
    ("purge", "again", "said"),
    [(True, True, "purging it"), (False, True, "restoring"), (False, False, "can be neither purged nor restored: taking another name")],
)
def test_a_deleted_service(world: AzureWorld, purge: bool, again: bool, said: str) -> None:
    name, progress = deleted_service(world), Quiet()
    doors = world.doors() if purge else forbid(world.doors(), again=again)
    ServiceStep(doors).apply(progress)
    assert any(name in text and said in text for text in progress.said)
    found = site.need_service(world.doors())
    assert found.name == (name if purge or again else site.candidates(world.target)[1])
    assert site.ours(world.target, dict(found.tags))
    assert ServiceStep(world.doors()).probe().state is State.PRESENT


@pytest.mark.parametrize("purge", [True, False])
def test_a_deleted_application(world: AzureWorld, purge: bool) -> None:
    ApplicationStep(world.doors()).apply(Quiet())
    doors = world.doors()
    first = directory.need_api(doors)
    doors.azure.graph.delete_application(str(first["id"]))
    progress = Quiet()
    ApplicationStep(doors if purge else forbid(doors, again=True)).apply(progress)
    assert any("blocks the name" in text for text in progress.said)
    assert (directory.need_api(world.doors())["appId"] != first["appId"]) is purge
    assert ApplicationStep(world.doors()).probe().state is State.PRESENT


@pytest.mark.parametrize(("kind", "what"), [(VaultStep, "vault"), (ServiceStep, "service")])
def test_when_every_name_is_held_it_is_an_error(world: AzureWorld, kind: type[VaultStep] | type[ServiceStep], what: str) -> None:
    for _ in site.candidates(world.target):
        delete_next(world, kind)
    with pytest.raises(StepError, match=f"every name for the {what}"):
        kind(forbid(world.doors(), again=False)).apply(Quiet())


def delete_next(world: AzureWorld, kind: type[VaultStep] | type[ServiceStep]) -> None:
    """One more candidate's name is held by something deleted."""
    GroupStep(world.doors()).apply(Quiet())
    kind(forbid(world.doors(), again=False)).apply(Quiet())
    doors, group = world.doors(), site.group_name(world.target)
    if kind is VaultStep:
        doors.azure.vaults.delete(group, site.need_vault(doors).name)
    else:
        doors.azure.apim.begin_delete(group, site.need_service(doors).name)


# -- rights at the resource group alone -----------------------------------------------------------------
@contextmanager
def group_rights(world: AzureWorld) -> Iterator[None]:
    """The deployer has its roles at the group, which exists, and nothing at the subscription."""
    name = site.group_name(world.target)
    world.doors().azure.arm.make_group(name, "japaneast", {"owner": "somebody"})
    scope = {"scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"}
    with ExitStack() as held:
        for role in ("Contributor", "Role Based Access Control Administrator"):
            held.enter_context(without(world, "seededRoles", f'"{role}"', scope))
        yield


def test_rights_at_the_group_are_enough_to_come_go_and_come_again(world: AzureWorld) -> None:
    with group_rights(world):
        assert [found.text for found in questions.looks(world.doors()) if found.error] == []
        assert "no right to ask" in names.vault(world.doors())
        assert "may not purge" in rights.purge(world.doors())
        assert "azure.vault" in up(world)
        doors = world.doors()
        vault, service = site.need_vault(doors).name, site.need_service(doors).name
        down(world)
        assert {step.id for step in steps(world.doors()) if step.probe().state is not State.ABSENT} == {"azure.group"}
        assert "azure.vault" in up(world)
        doors = world.doors()
        assert (site.need_vault(doors).name, site.need_service(doors).name) == (vault, service), "recovered and restored"
        assert states(world) == {State.PRESENT}


def test_names_that_cannot_be_brought_back_are_left_for_others(world: AzureWorld) -> None:
    with group_rights(world):
        up(world)
        down(world)
        for kind, said in ((VaultStep, "recovered"), (ServiceStep, "restored")):
            progress = Quiet()
            kind(forbid(world.doors(), again=False)).apply(progress)
            assert any(f"can be neither purged nor {said}: taking another name" in text for text in progress.said)
        doors = world.doors()
        assert site.need_vault(doors).name == site.need_service(doors).name == site.candidates(world.target)[1]
