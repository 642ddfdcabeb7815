"""Two teams of one company: environments of one name in two subscriptions of one tenant, each with its own AWS and cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.sandbox.azure.entra_directory import EVERYTHING
from genai_platform.sandbox.azure.shared_tenant import VARIABLE
from genai_platform.sandbox.azure.store import Store
from tests.end_to_end.conftest import Platform

CALLER = "team-a"
QUESTION = "日本の首都はどこですか。"


@pytest.fixture
def second(platform: Platform, tmp_path: Path) -> Iterator[Platform]:
    """A sandbox in the tenant of the session's platform, under the same name."""
    made = Platform(tmp_path, extra={VARIABLE: str(platform.folder / ".genai" / "sandbox")})
    yield made
    made.run("sandbox", "remove", "--yes", code=None)


def allow_everything(platform: Platform, client_id: str) -> None:
    """Let a deployer change every application of the tenant, as an administrator can: no missing right protects the others."""
    store = Store(platform.folder / ".genai" / "sandbox" / "world" / "azure" / "world.sqlite")
    (deployer,) = store.matching("applications", "appId", client_id)
    store.put("applications", deployer["id"], {**deployer, "graphPermissions": [*deployer["graphPermissions"], EVERYTHING]})
    store.close()


def identity(platform: Platform) -> dict[str, str]:
    """The caller's sign-in; the addresses of a sandbox's own files are left out."""
    found = platform.run("azure", "env", "--caller", CALLER).document["variables"]
    return {name: found[name] for name in ("AUTHORITY", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SCOPE", "APIM_URL")}


def answered(platform: Platform) -> bool:
    """As a caller's program: a new token, API Management, the key of the vault, LiteLLM, a model."""
    means = identity(platform)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": QUESTION}]}
    with platform.http(means["AUTHORITY"]) as http:
        form = {"grant_type": "client_credentials", "scope": means["SCOPE"]}
        form |= {"client_id": means["CLIENT_ID"], "client_secret": means["CLIENT_SECRET"]}
        token = http.post(f"/{means['TENANT_ID']}/oauth2/v2.0/token", data=form).raise_for_status().json()["access_token"]
    with platform.http(means["APIM_URL"], headers={"Authorization": f"Bearer {token}"}) as http:
        answer = http.post("v1/chat/completions", json=body).raise_for_status().json()
    return QUESTION in answer["choices"][0]["message"]["content"]


def azure_works(platform: Platform) -> None:
    checks = platform.verify("azure.*").checks
    assert {check["status"] for check in checks.values()} == {"pass"}, checks
    states = {id: step["state"] for id, step in platform.run("azure", "show").steps.items()}
    assert set(states.values()) == {"present"}, states


@pytest.mark.timeout(1500)
def test_an_environment_of_the_same_name_in_another_subscription_comes_and_goes_unnoticed(platform: Platform, second: Platform) -> None:
    before = identity(platform)
    second.up("--only", "azure.group")
    allow_everything(platform, second.variables["AZURE_CLIENT_ID"])
    # Traces are no part of this: without Langfuse it is there sooner.
    made = second.up("--skip", "langfuse").steps
    outcomes = {id: step["outcome"] for id, step in made.items() if id.startswith("azure.")}
    assert outcomes.pop("azure.group") == "present"
    assert set(outcomes.values()) == {"done"}, "nothing of the other one's is taken for its own"
    parts = second.run("sandbox", "status", sandbox=False).document["parts"]
    assert "azure" not in {part["name"] for part in parts}
    theirs = identity(second)
    same = {name for name, value in theirs.items() if value == before[name]}
    assert same == {"AUTHORITY", "TENANT_ID"}
    assert second.variables["AZURE_SUBSCRIPTION_ID"] != platform.variables["AZURE_SUBSCRIPTION_ID"]
    assert answered(platform)
    assert answered(second)
    azure_works(second)

    gone = second.run("azure", "remove", "--yes").steps
    assert {step["outcome"] for id, step in gone.items() if id.startswith("azure.")} == {"done"}
    assert {step["state"] for step in second.run("azure", "show").steps.values()} == {"absent"}
    assert identity(platform) == before
    assert answered(platform)
    azure_works(platform)
