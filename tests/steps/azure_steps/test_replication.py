"""What was made a moment ago is not known everywhere: each step that needs it waits, and says what it waits for."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import Mock

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import Forbidden, StepError, Unreachable
from genai_platform.steps.azure import entra_applications, lookup, policy
from genai_platform.steps.azure.access import AccessStep
from genai_platform.steps.azure.application import ApplicationStep
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.callers.observed import observe
from genai_platform.steps.azure.callers.virtual_key import store as store_secret
from genai_platform.steps.azure.check_applications import CheckApplicationsStep
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.service import ServiceStep
from genai_platform.steps.azure.vault import VaultStep
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure import token
from genai_platform.tools.azure.arm import SECRETS_USER

from .world import AzureWorld, Quiet, store, up


def made_just_now(world: AzureWorld, kind: str, app_id: str, seconds: float) -> None:
    """The directory shows this object for the first time in so many seconds."""
    with store(world) as opened:
        found = opened.find(kind, "appId", app_id)
        assert found
        opened.put(kind, found["id"], {**found, "createdAt": time.time() + seconds})


def failing_once(kind: type[StepError], result: object) -> Mock:
    return Mock(side_effect=[kind("not yet"), result, result, result])


def test_a_role_is_assigned_once_the_service_principal_is_known(world: AzureWorld) -> None:
    graph = world.clients().azure.graph
    role = {
        "id": entra_applications.role_id("x", "R"),
        "value": "R",
        "displayName": "R",
        "description": "R",
        "allowedMemberTypes": ["Application"],
    }
    api = graph.ensure_application(f"api-{world.environment}", {"appRoles": [role]})
    caller = graph.ensure_application(f"caller-{world.environment}", {})
    resource, principal = graph.ensure_principal(str(api["appId"])), graph.ensure_principal(str(caller["appId"]))
    made_just_now(world, "servicePrincipals", str(caller["appId"]), 1)
    asked: list[int] = []
    graph.assign(str(resource["id"]), str(principal["id"]), str(role["id"]), lambda: asked.append(1))
    assert asked, "whoever waits can be stopped"
    assert [entry["principalId"] for entry in graph.assignments(str(resource["id"]))] == [principal["id"]]


def test_whoever_makes_an_application_owns_it(world: AzureWorld) -> None:
    graph = world.clients().azure.graph
    name = f"mine-{world.environment}"
    made = graph.ensure_application(name, {"signInAudience": "AzureADMyOrg"})
    graph.change_application(str(made["id"]), {"displayName": name})
    principal = graph.ensure_principal(str(made["appId"]))
    graph.change_principal(str(principal["id"]), {"appRoleAssignmentRequired": True})
    again = graph.ensure_application(name, {"signInAudience": "AzureADMultipleOrgs"})
    assert (again["appId"], again["signInAudience"]) == (made["appId"], "AzureADMultipleOrgs")
    assert graph.ensure_principal(str(made["appId"]))["id"] == principal["id"]


def test_an_application_that_nobody_owns_may_not_be_changed(world: AzureWorld) -> None:
    graph = world.clients().azure.graph
    path = f"/v1.0/applications(uniqueName='orphan-{world.environment}')"
    made = graph._rest.call("PATCH", path, "make one", body={}, headers={"Prefer": "create-if-missing"})
    assert made
    with pytest.raises(StepError, match="Insufficient privileges"):
        graph.change_application(str(made["id"]), {"displayName": "x"})


def test_a_service_principal_waits_for_its_application(world: AzureWorld) -> None:
    graph = world.clients().azure.graph
    made = graph.ensure_application(f"late-{world.environment}", {})
    made_just_now(world, "applications", str(made["appId"]), 1)
    assert graph.ensure_principal(str(made["appId"]))["appId"] == made["appId"]


def test_probes_wait_for_the_application_of_the_step_before(world: AzureWorld) -> None:
    clients = world.clients()
    ApplicationStep(clients).apply(Quiet())
    client = str(entra_applications.need_api(clients)["appId"])
    for kind in ("applications", "servicePrincipals"):
        made_just_now(world, kind, client, 1)
    CheckApplicationsStep(world.clients()).apply(Quiet())
    assert CheckApplicationsStep(world.clients()).observe().state is State.PRESENT


def test_callers_and_policy_wait_for_the_application(world: AzureWorld) -> None:
    up(world)
    client = str(entra_applications.need_api(world.clients())["appId"])
    made_just_now(world, "applications", client, 1)
    with pytest.raises(StepError, match="not there yet"):
        policy.values(world.clients())
    assert policy.values(world.clients(), lookup.PATIENCE).audience == client
    made_just_now(world, "servicePrincipals", client, 1)
    assert observe(world.clients(), lookup.PATIENCE).api_principal


def test_a_revocation_looks_again_for_an_assignment_that_is_not_listed_yet(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    listed = clients.azure.graph.assignments
    looks = iter(range(10))
    clients.azure.graph.assignments = lambda principal: listed(principal) if next(looks) > 1 else []  # type: ignore[method-assign]
    done = keys.revoke(clients, "team-a")
    assert "role assignment removed" in done.closed
    assert not any("caller" in name for name in observe(world.clients()).holders.values())


def test_a_revocation_after_an_older_one_does_not_wait(world: AzureWorld) -> None:
    up(world)
    keys.revoke(world.clients(), "team-a")
    clients = world.clients()
    vault, name = lookup.need_vault(clients), f"litellm-{keys.show(clients, 'team-a').client_id}"
    (held,) = [entry for entry in clients.azure.vaults.secrets(vault) if entry.name == name]
    clients.azure.vaults.mark(vault, name, enabled=False, tags={**held.tags, "revoked": "2026-01-01T00:00:00Z"})
    progress = Quiet()
    assert "role assignment removed" not in keys.revoke(world.clients(), "team-a", progress=progress).closed
    assert progress.said == []


@pytest.mark.parametrize("kind", [Forbidden, Unreachable])
def test_a_vault_that_was_made_a_moment_ago_is_waited_for(
    world: AzureWorld, kind: type[StepError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genai_platform.tools.wait.time.sleep", lambda seconds: None)
    for step in (GroupStep, VaultStep, ServiceStep):
        step(world.clients()).apply(Quiet())
    clients: Clients = world.clients()
    clients.azure.vaults.secrets = failing_once(kind, [])  # type: ignore[method-assign]
    AccessStep(clients).apply(Quiet())
    clients.azure.vaults.put = failing_once(kind, None)  # type: ignore[method-assign]
    said = Quiet()
    store_secret(clients.azure.vaults, lookup.need_vault(clients), "a", Mock(), {}, None, said)
    assert any("waiting until we may write" in text for text in said.said)


def test_an_identity_that_resource_manager_does_not_know_yet_is_waited_for(world: AzureWorld) -> None:
    for kind in (GroupStep, VaultStep, ServiceStep):
        kind(world.clients()).apply(Quiet())
    clients, progress = world.clients(), Quiet()
    assign, refused = clients.azure.arm.assign, iter(["could not assign a role: PrincipalNotFound: it does not exist in the directory"])

    def later(scope: str, principal: str, role: str, *more: Any) -> Any:
        if role == SECRETS_USER and (text := next(refused, None)):
            raise StepError(text, error_code="PrincipalNotFound")
        return assign(scope, principal, role, *more)

    clients.azure.arm.assign = later  # type: ignore[method-assign]
    AccessStep(clients).apply(progress)
    assert "waiting until the service's identity is known" in progress.said
    assert AccessStep(world.clients()).observe().state is State.PRESENT


def test_a_token_waits_for_a_role_that_was_given_just_now(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    up(world)
    work, client = observe(world.clients()), keys.client(world.clients(), "team-a")
    principal = work.principal(client.client_id)
    assert principal
    assert client.secret
    work.graph.unassign(work.api_principal, work.assigned[principal])
    given = lambda seconds: work.graph.assign(work.api_principal, principal, work.role)  # noqa: E731
    monkeypatch.setattr("genai_platform.tools.azure.token.time.sleep", given)
    assert token.claims(token.fetch(world.target, client.tenant_id, client.client_id, client.secret, client.scope))["roles"]
