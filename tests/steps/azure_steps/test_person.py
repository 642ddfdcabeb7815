"""A person deploys: signed in with the Azure CLI, with a directory role instead of Graph permissions."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import MissingError
from genai_platform.steps.azure import lookup, prerequisites, rights
from genai_platform.tools.azure import credentials
from genai_platform.tools.azure.arm import SECRETS_OFFICER
from genai_platform.tools.azure.credentials import ARM_SCOPE, GRAPH_SCOPE
from genai_platform.tools.azure.entra import CLOUD_APPLICATION_ADMINISTRATOR

from .world import AzureWorld, ask, down, states, up

AZ = '''#!{python}
"""`az account get-access-token` of somebody who is signed in; it is slow, and two at once are one too many."""
import json, os, pathlib, ssl, sys, time, urllib.parse, urllib.request

folder = pathlib.Path({folder!r})
asked = sys.argv[sys.argv.index("--resource") + 1]
try:
    os.close(os.open(folder / "running", os.O_CREAT | os.O_EXCL))
except FileExistsError:
    sys.exit("ERROR: another az is running")
try:
    with open(folder / "asked", "a") as file:
        file.write(asked + "\\n")
    time.sleep({seconds} if len((folder / "asked").read_text().split()) == 1 else 0.05)
    form = dict(grant_type="password", username={username!r}, password={password!r}, scope=asked + "/.default")
    trust = ssl.create_default_context(cafile={ca!r})
    with urllib.request.urlopen({url!r}, urllib.parse.urlencode(form).encode(), context=trust) as answer:
        given = json.load(answer)
    print(json.dumps(dict(accessToken=given["access_token"], expires_on=int(time.time()) + given["expires_in"], tokenType="Bearer")))
finally:
    (folder / "running").unlink()
'''


def signed_in(world: AzureWorld, folder: Path, monkeypatch: pytest.MonkeyPatch, roles: list[str], seconds: float = 0.05) -> dict[str, Any]:
    """Somebody who holds these directory roles is signed in with an `az` that takes so long the first time."""
    who = ask(world.layout, "person", name=f"{world.environment}@example.com", directory_roles=roles)
    text = AZ.format(
        python=sys.executable,
        folder=str(folder),
        seconds=seconds,
        username=who["username"],
        password=who["password"],
        ca=str(world.layout.ca_file),
        url=f"https://localhost:{world.layout.ports['entra']}/{world.target.settings.azure.tenant_id}/oauth2/v2.0/token",
    )
    (folder / "az").write_text(text)
    (folder / "az").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    world.configure(auth="cli")
    return who


def test_a_person_builds_and_removes_everything(world: AzureWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    who = signed_in(world, tmp_path, monkeypatch, [CLOUD_APPLICATION_ADMINISTRATOR])
    assert [found.text for found in prerequisites.looks(world.clients()) if found.error] == []
    up(world)
    assert up(world) == []
    clients = world.clients()
    assert (clients.azure.identity.kind, clients.azure.identity.object_id) == ("User", who["object_id"])
    held = clients.azure.arm.assignment(lookup.need_vault(clients).id, who["object_id"], SECRETS_OFFICER)
    assert held
    assert held["properties"]["principalType"] == "User"
    down(world)
    assert states(world) == {State.ABSENT}


def test_a_person_without_a_directory_role_is_told_which(world: AzureWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(world, tmp_path, monkeypatch, [])
    with pytest.raises(MissingError, match="Cloud Application Administrator") as refused:
        rights.directory(world.clients())
    assert json.loads(refused.value.remedy.split("--body '")[1].rstrip("'"))["roleDefinitionId"] == CLOUD_APPLICATION_ADMINISTRATOR


def test_an_az_that_is_not_installed_is_named(world: AzureWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    world.configure(auth="cli")
    with pytest.raises(MissingError, match="Azure CLI not found") as refused:
        rights.directory(world.clients())
    assert "install the Azure CLI" in str(refused.value.remedy)


def test_an_az_that_takes_longer_than_a_minute_is_named(world: AzureWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_AZ_SECONDS", 1)
    signed_in(world, tmp_path, monkeypatch, [], seconds=5)
    with pytest.raises(MissingError) as refused:
        rights.identity(world.clients())
    assert "az account get-access-token" in refused.value.remedy


def test_an_az_that_takes_longer_than_ten_seconds_is_started_once_for_each_service(
    world: AzureWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(world, tmp_path, monkeypatch, [], seconds=11)
    credential = world.clients().azure.credential
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda scope=scope: tokens.append(credential.get_token(scope).token))
        for scope in (ARM_SCOPE, GRAPH_SCOPE) * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 6
    assert sorted((tmp_path / "asked").read_text().split()) == ["https://graph.microsoft.com", "https://management.azure.com"]
