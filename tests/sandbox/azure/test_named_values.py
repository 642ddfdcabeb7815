"""Named values: read from the vault by the service's own identity, and long-running as on Azure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from genai_platform.sandbox import ca
from genai_platform.sandbox.azure import arm_providers, server
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.roles import SECRETS_USER
from genai_platform.sandbox.azure.state import AzureState, open_state
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.sandbox.layout import SandboxLayout

SERVICE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ApiManagement/service/s"
_VERSION = {"api-version": "2024-05-01"}


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureState]:
    layout = SandboxLayout.create(tmp_path, "sandbox", pace=0.001)
    ca.authority(layout)
    azure = open_state(layout)
    store = azure.store
    arm_providers.register(store, SUBSCRIPTION, "Microsoft.ApiManagement")
    service = {"id": SERVICE, "name": "s", "type": "Microsoft.ApiManagement/service", "identity": {"principalId": "gateway"}}
    store.put("arm", SERVICE, {**service, "properties": {}})
    store.put("vaults", "v", {"id": "/vaults/v", "name": "v"})
    store.put("secrets", "v/key", {"versions": [{"value": "first", "attributes": {"enabled": True}}]})
    yield azure
    store.close()


def ask(azure: AzureState, method: str, path: str, body: Any = None) -> Any:
    """ARM's answer to the deployer."""
    deployer = azure.store.all("servicePrincipals")[0]["id"]
    token = Entra(azure).microsoft_token(deployer, "https://management.azure.com")
    client = TestClient(server.applications(azure)["arm"], base_url="https://localhost")
    return client.request(method, SERVICE + path, params=_VERSION, json=body, headers={"Authorization": f"Bearer {token}"})


def put(azure: AzureState, identifier: str = "https://v.vault.localhost/secrets/key") -> Any:
    body = {"properties": {"displayName": "key", "secret": True, "keyVault": {"secretIdentifier": identifier}}}
    return ask(azure, "PUT", "/namedValues/key", body)


def status(azure: AzureState) -> str:
    return str(ask(azure, "GET", "/namedValues/key").json()["properties"]["keyVault"]["lastStatus"]["code"])


def allow(azure: AzureState) -> None:
    entry = {"id": "1", "scope": "/vaults/v", "principalId": "gateway", "roleId": SECRETS_USER, "effectiveAt": 0}
    azure.store.put("roleAssignments", "1", entry)


def test_without_the_right_it_is_refused_and_one_that_is_there_keeps_its_value(azure: AzureState) -> None:
    answer = put(azure)
    assert answer.status_code == 400
    assert "Forbidden" in answer.text
    assert ask(azure, "GET", "/namedValues/key").status_code == 404
    allow(azure)
    answer = put(azure)
    assert answer.status_code == 201
    assert "Azure-AsyncOperation" in answer.headers
    assert status(azure) == "Success"
    assert "first" not in ask(azure, "GET", "/namedValues/key").text
    azure.store.delete("roleAssignments", "1")
    assert ask(azure, "POST", "/namedValues/key/refreshSecret").status_code == 202
    assert status(azure) == "Forbidden"
    assert ask(azure, "POST", "/namedValues/key/listValue").json() == {"value": "first"}


def test_a_new_secret_is_read_when_it_is_told_to(azure: AzureState) -> None:
    allow(azure)
    put(azure)
    azure.store.put("secrets", "v/key", {"versions": [{"value": "second", "attributes": {"enabled": True}}]})
    assert ask(azure, "POST", "/namedValues/key/listValue").json() == {"value": "first"}
    assert ask(azure, "POST", "/namedValues/key/refreshSecret").status_code == 202
    assert ask(azure, "POST", "/namedValues/key/listValue").json() == {"value": "second"}


def test_a_policy_names_only_what_is_there_and_keeps_it_there(azure: AzureState) -> None:
    policy = (
        "<policies><inbound><set-header name='X' exists-action='override'><value>{{key}}</value></set-header></inbound>"
        "<backend><forward-request /></backend><outbound /><on-error /></policies>"
    )
    body = {"properties": {"format": "xml", "value": policy}}
    refused = ask(azure, "PUT", "/policies/policy", body)
    assert refused.status_code == 400
    assert "'key'" in refused.text
    allow(azure)
    put(azure)
    assert ask(azure, "PUT", "/policies/policy", body).status_code == 201
    assert ask(azure, "DELETE", "/namedValues/key").status_code == 400
    assert ask(azure, "DELETE", "/policies/policy").status_code == 200
    assert ask(azure, "DELETE", "/namedValues/key").status_code == 200


@pytest.mark.parametrize("identifier", ["http://v/secrets/key", "key", "https://v.vault.localhost/keys/key"])
def test_what_is_no_secret_of_a_vault_is_refused(azure: AzureState, identifier: str) -> None:
    assert put(azure, identifier).status_code == 400
