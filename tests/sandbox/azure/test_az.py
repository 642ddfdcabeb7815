"""Azure's own command line on the sandbox: what it asks of ARM, Graph and the vault is the measure of the stand-ins.

``make az`` installs it, in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genai_platform.programs.cache import cache_folder
from genai_platform.sandbox import ca
from genai_platform.sandbox.azure import az_config
from genai_platform.sandbox.azure.state import deployer
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import entra_applications, lookup
from tests.steps.azure_steps.world import AzureWorld, running, up

AZ = "bin/az"


class Az:
    """`az`, with the variables of one sandbox and nothing of the person's."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._program = str(cache_folder() / "azure-cli" / AZ)
        self._variables = {"PATH": os.environ["PATH"], **az_config.variables(layout, ca.bundle(layout))}

    def __call__(self, command: str, *further: str) -> Any:
        """What a command prints, as a document; None for nothing. It must succeed."""
        words = [self._program, *command.split(), *further, "--output", "json"]
        done = subprocess.run(words, env=self._variables, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"az {command}: {done.stderr[-2000:]}"
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureWorld]:
    with running(tmp_path_factory.mktemp("az")) as layout:
        made = AzureWorld(layout, "hand")
        up(made)
        yield made


@pytest.fixture(scope="module")
def az(azure: AzureWorld) -> Az:
    signed_in, who = Az(azure.layout), deployer(azure.layout)
    signed_in(
        f"login --service-principal --tenant {TENANT} --username {who['AZURE_CLIENT_ID']}", f"--password={who['AZURE_CLIENT_SECRET']}"
    )
    return signed_in


def test_the_cloud_can_be_registered_by_its_address(az: Az, azure: AzureWorld) -> None:
    arm = f"https://localhost:{azure.layout.ports['arm']}"
    az(f"cloud register --name Other --endpoint-resource-manager {arm}")
    assert az("cloud show --name Other")["endpoints"]["activeDirectory"] == f"https://localhost:{azure.layout.ports['entra']}"


def test_vaults_roles_and_secrets(az: Az, azure: AzureWorld) -> None:
    assert az("account show")["id"] == SUBSCRIPTION
    az("group create --name by-hand --location japaneast")
    made = az("keyvault create --name by-hand-vault --resource-group by-hand --location japaneast --enable-rbac-authorization true")
    client = deployer(azure.layout)["AZURE_CLIENT_ID"]
    az(f"role assignment create --assignee {client} --scope {made['id']}", "--role", "Key Vault Secrets Officer")
    (given,) = az(f"role assignment list --scope {made['id']}")
    assert given["roleDefinitionName"] == "Key Vault Secrets Officer"
    assert az("keyvault show --name by-hand-vault")["id"] == made["id"]
    assert [entry["name"] for entry in az("resource list --resource-group by-hand")] == ["by-hand-vault"]
    az("keyvault delete --name by-hand-vault")
    assert [entry["name"] for entry in az("keyvault list-deleted")] == ["by-hand-vault"]
    az("keyvault purge --name by-hand-vault")
    az("group delete --name by-hand --yes")
    # Where names under localhost are not resolved, localhost itself stands for the only vault.
    vault = f"https://localhost:{azure.layout.ports['vault']}"
    secrets = az(f"keyvault secret list --id {vault}")
    name = next(entry["name"] for entry in secrets if entry["name"].startswith("litellm-"))
    assert az(f"keyvault secret show --id {vault}/secrets/{name}")["value"] in azure.litellm.values


def test_api_management(az: Az, azure: AzureWorld) -> None:
    service = lookup.need_service(azure.clients())
    at = f"--resource-group {service.group} --service-name {service.name}"
    assert [entry["name"] for entry in az("apim list")] == [service.name]
    (api,) = az(f"apim api list {at}")
    assert "post-v1-chat-completions" in [entry["name"] for entry in az(f"apim api operation list {at} --api-id {api['name']}")]
    az(f"apim nv create {at} --named-value-id by-hand --display-name by-hand --value x")
    assert "by-hand" in [entry["name"] for entry in az(f"apim nv list {at}")]
    az(f"apim nv delete {at} --named-value-id by-hand --yes")
    assert az("provider show --namespace Microsoft.ApiManagement")["registrationState"] == "Registered"
    assert {entry["type"] for entry in az("resource list --resource-type Microsoft.KeyVault/vaults")} == {"Microsoft.KeyVault/vaults"}


def test_applications(az: Az, azure: AzureWorld) -> None:
    found = az(f"ad app list --display-name {azure.target.prefix}.")
    assert entra_applications.api_name(azure.target) in [entry["displayName"] for entry in found]
    made = az("ad app create --display-name by-hand")["appId"]
    assert az(f"ad app show --id {made}")["displayName"] == "by-hand"
    az(f"ad sp create --id {made}")
    assert az(f"ad sp show --id {made}")["appId"] == made
    assert az(f"ad app credential reset --id {made}")["password"]
    az(f"ad app delete --id {made}")


def test_what_a_person_keeps_of_the_azure_cli_stays_out_of_it(azure: AzureWorld) -> None:
    folder = Path(az_config.variables(azure.layout, ca.bundle(azure.layout))["AZURE_CONFIG_DIR"])
    assert azure.layout.root in folder.parents
    assert (folder.stat().st_mode & 0o777, (folder / "config").stat().st_mode & 0o777) == (0o700, 0o600)
