"""Each missing right is known before anything is made, with the command that grants it."""

from __future__ import annotations

import base64
import json
from typing import Any
from unittest.mock import Mock

import pytest

from genai_platform.errors import Forbidden, MissingError
from genai_platform.steps.azure import prerequisites, rights
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.credentials import Identity
from genai_platform.tools.azure.entra import CLOUD_APPLICATION_ADMINISTRATOR

from .changed import without
from .world import AzureWorld, store


def test_with_every_right_nothing_is_wrong(world: AzureWorld) -> None:
    assert [found.text for found in prerequisites.looks(world.clients()) if found.error] == []


@pytest.mark.parametrize("permission", ["Application.ReadWrite.OwnedBy", "Application.Read.All", "AppRoleAssignment.ReadWrite.All"])
def test_a_missing_graph_permission_is_named(world: AzureWorld, permission: str) -> None:
    left = [name for name in rights._IDS if name != permission]
    with without(world, "applications", "sandbox deployer", {"graphPermissions": left}), pytest.raises(MissingError) as refused:
        rights.directory(world.clients())
    assert permission in refused.value.message
    assert rights._IDS[permission] in refused.value.remedy
    assert "admin-consent" in refused.value.remedy


@pytest.mark.parametrize("role", ["Contributor", "Role Based Access Control Administrator"])
def test_a_missing_role_is_named_with_the_command(world: AzureWorld, role: str) -> None:
    with without(world, "seededRoles", f'"{role}"'), pytest.raises(MissingError) as refused:
        rights.resources(world.clients())
    assert f'az role assignment create --role "{role}"' in refused.value.remedy


def test_who_may_not_purge_is_told_what_that_means(world: AzureWorld) -> None:
    clients = world.clients()
    clients.azure.arm = Mock(may=lambda scope, action: "purge" not in action and "deletedservices" not in action)
    told = rights.purge(clients)
    assert "48 hours" in told
    assert "az role assignment create" in told


def person(world: AzureWorld, **claims: Any) -> Clients:
    """Doors of a person who is signed in."""
    clients = world.clients()
    clients.azure.identity = Identity("44444444-4444-4444-8444-444444444444", "User", "a@example.com", clients.azure.tenant)
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    clients.azure.graph.application = Mock(return_value=None)  # type: ignore[method-assign]
    clients.azure.credential = Mock(get_token=lambda *scopes: Mock(token=f"a.{part}.b"))
    return clients


def test_a_person_needs_a_directory_role(world: AzureWorld) -> None:
    with pytest.raises(MissingError) as refused:
        rights.directory(person(world, wids=["b79fbf4d-3ef9-4689-8143-76b194e85509"]))
    assert CLOUD_APPLICATION_ADMINISTRATOR in refused.value.remedy
    assert "applications" in rights.directory(person(world, wids=[CLOUD_APPLICATION_ADMINISTRATOR]))
    assert "does not say" in rights.directory(person(world))


def test_a_managed_identity_is_given_graph_permissions_without_an_app_registration(world: AzureWorld) -> None:
    world.configure(auth="managed_identity")
    clients = world.clients()
    clients.azure.identity = Identity("44444444-4444-4444-8444-444444444444", "ServicePrincipal", "runner", clients.azure.tenant)
    clients.azure.graph.application = Mock(return_value=None)  # type: ignore[method-assign]
    clients.azure.graph.permissions = Mock(return_value=set())  # type: ignore[method-assign]
    with pytest.raises(MissingError) as refused:
        rights.directory(clients)
    assert "az ad app permission" not in refused.value.remedy
    assert refused.value.remedy.count("servicePrincipals/44444444-4444-4444-8444-444444444444/appRoleAssignments") == len(rights._IDS)
    assert all(id in refused.value.remedy for id in rights._IDS.values())


def test_a_quota_that_would_not_hold_is_told(world: AzureWorld) -> None:
    for callers, fits in ((122, True), (123, False)):
        world.configure(callers={f"team-{number}": {} for number in range(callers)})
        assert ("may own 250" not in rights.quota(world.clients())) is fits


def test_who_may_not_ask_what_is_allowed_is_told_so(world: AzureWorld) -> None:
    clients = world.clients()
    refusal = Forbidden("could not read our permissions: AuthorizationFailed", id="azure.403")
    clients.azure.arm.permissions = Mock(side_effect=refusal)  # type: ignore[method-assign]
    with pytest.raises(Forbidden) as refused:
        rights.resources(clients)
    assert "could not be found out" in refused.value.message
    assert 'az role assignment create --role "Contributor"' in refused.value.remedy


def directory(world: AzureWorld) -> prerequisites.Answer:
    (found,) = [one for one in prerequisites.looks(world.clients()) if one.id == "azure.directory_size"]
    return found


def test_how_full_the_directory_is(world: AzureWorld) -> None:
    unseen = directory(world)
    assert (unseen.error, unseen.unknown is None) == (None, False)
    assert unseen.unknown is not None
    assert "498476ce-e0fe-48b0-b801-37ba7e2685c6=Role" in str(unseen.unknown.remedy)
    held = {"graphPermissions": [*rights._IDS, "Organization.Read.All"]}
    with without(world, "applications", "sandbox deployer", held), store(world) as opened:
        seen = directory(world)
        assert (seen.error, seen.unknown) == (None, None)
        assert "of 50000 objects" in seen.text
        opened.put("quota", "directory", {"used": 50_000, "total": 50_000, "tenant": world.clients().azure.tenant})
        try:
            full = directory(world)
            assert isinstance(full.error, MissingError)
            assert "50000 of 50000 objects" in full.text
        finally:
            opened.delete("quota", "directory")


@pytest.mark.parametrize(("people", "needed"), [(["anna@example.com"], True), (["11111111-2222-3333-4444-555555555555"], False)])
def test_people_who_are_named_must_be_found_in_the_directory(world: AzureWorld, people: list[str], needed: bool) -> None:
    world.configure({"litellm": {"sign_in": "entra"}, "sign_in": {"people": people}})
    clients = world.clients()
    clients.azure.graph.permissions = Mock(return_value=set(rights._IDS))  # type: ignore[method-assign]
    if not needed:
        assert rights.directory(clients)
        return
    with pytest.raises(MissingError, match=r"User\.ReadBasic\.All") as refused:
        rights.directory(clients)
    assert "97235f07-e226-4f63-ace3-39588e11d3a1" in refused.value.remedy
