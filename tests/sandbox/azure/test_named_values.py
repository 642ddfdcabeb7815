"""Named values: read from the vault by the service's own identity, and long-running as on Azure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from genai_platform.sandbox import ca
from genai_platform.sandbox.azure import arm_providers, server
from genai_platform.sandbox.azure.entra import Entra
from genai_platform.sandbox.azure.roles import SECRETS_USER
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.sandbox.azure.world import World, open_world
from genai_platform.sandbox.place import Place

SERVICE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ApiManagement/service/s"
_VERSION = {"api-version": "2024-05-01"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    place = Place.create(tmp_path, "sandbox", pace=0.001)
    ca.authority(place)
    world = open_world(place)
    store = world.store
    arm_providers.register(store, SUBSCRIPTION, "Microsoft.ApiManagement")
    service = {"id": SERVICE, "name": "s", "type": "Microsoft.ApiManagement/service", "identity": {"principalId": "gateway"}}
    store.put("arm", SERVICE, {**service, "properties": {}})
    store.put("vaults", "v", {"id": "/vaults/v", "name": "v"})
    store.put("secrets", "v/key", {"versions": [{"value": "first", "attributes": {"enabled": True}}]})
    yield world
    store.close()


def ask(world: World, method: str, path: str, body: Any = None) -> Any:
    """ARM's answer to the deployer."""
    deployer = world.store.all("servicePrincipals")[0]["id"]
    token = Entra(world).microsoft_token(deployer, "https://management.azure.com")
    client = TestClient(server.applications(world)["arm"], base_url="https://localhost")
    return client.request(method, SERVICE + path, params=_VERSION, json=body, headers={"Authorization": f"Bearer {token}"})


def put(world: World, identifier: str = "https://v.vault.localhost/secrets/key") -> Any:
    body = {"properties": {"displayName": "key", "secret": True, "keyVault": {"secretIdentifier": identifier}}}
    return ask(world, "PUT", "/namedValues/key", body)


def status(world: World) -> str:
    return str(ask(world, "GET", "/namedValues/key").json()["properties"]["keyVault"]["lastStatus"]["code"])


def allow(world: World) -> None:
    entry = {"id": "1", "scope": "/vaults/v", "principalId": "gateway", "roleId": SECRETS_USER, "effectiveAt": 0}
    world.store.put("roleAssignments", "1", entry)


def test_without_the_right_it_is_refused_and_one_that_is_there_keeps_its_value(world: World) -> None:
    answer = put(world)
    assert answer.status_code == 400
    assert "Forbidden" in answer.text
    assert ask(world, "GET", "/namedValues/key").status_code == 404
    allow(world)
    answer = put(world)
    assert answer.status_code == 201
    assert "Azure-AsyncOperation" in answer.headers
    assert status(world) == "Success"
    assert "first" not in ask(world, "GET", "/namedValues/key").text
    world.store.delete("roleAssignments", "1")
    assert ask(world, "POST", "/namedValues/key/refreshSecret").status_code == 202
    assert status(world) == "Forbidden"
    assert ask(world, "POST", "/namedValues/key/listValue").json() == {"value": "first"}


def test_a_new_secret_is_read_when_it_is_told_to(world: World) -> None:
    allow(world)
    put(world)
    world.store.put("secrets", "v/key", {"versions": [{"value": "second", "attributes": {"enabled": True}}]})
    assert ask(world, "POST", "/namedValues/key/listValue").json() == {"value": "first"}
    assert ask(world, "POST", "/namedValues/key/refreshSecret").status_code == 202
    assert ask(world, "POST", "/namedValues/key/listValue").json() == {"value": "second"}


def test_a_policy_names_only_what_is_there_and_keeps_it_there(world: World) -> None:
    policy = (
        "<policies><inbound><set-header name='X' exists-action='override'><value>{{key}}</value></set-header></inbound>"
        "<backend><forward-request /></backend><outbound /><on-error /></policies>"
    )
    body = {"properties": {"format": "xml", "value": policy}}
    refused = ask(world, "PUT", "/policies/policy", body)
    assert refused.status_code == 400
    assert "'key'" in refused.text
    allow(world)
    put(world)
    assert ask(world, "PUT", "/policies/policy", body).status_code == 201
    assert ask(world, "DELETE", "/namedValues/key").status_code == 400
    assert ask(world, "DELETE", "/policies/policy").status_code == 200
    assert ask(world, "DELETE", "/namedValues/key").status_code == 200


@pytest.mark.parametrize("identifier", ["http://v/secrets/key", "key", "https://v.vault.localhost/keys/key"])
def test_what_is_no_secret_of_a_vault_is_refused(world: World, identifier: str) -> None:
    assert put(world, identifier).status_code == 400
