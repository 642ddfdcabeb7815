"""``genai init``: what it asks, what it takes from flags and from who is signed in, and what it writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.tools.azure.cognitive import READY, Account, CognitiveAccounts, Deployment
from genai_platform.ui.screen import Screen
from tests.cli.conftest import Shell

TENANT, SUBSCRIPTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ACCOUNT = Account("x", "/subscriptions/s/resourceGroups/g/x", "japaneast", "https://x.openai.azure.com", READY, keyless=False)
AWS = ("--account-id", "123456789012", "--api-base", "https://x.openai.azure.com")


@pytest.fixture
def wizard(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder without a configuration, and nobody signed in anywhere."""
    (shell.folder / "genai.toml").unlink()
    monkeypatch.setattr("genai_platform.cli.init._account", lambda: None)
    monkeypatch.setattr("genai_platform.cli.init._signed_in", dict)
    return shell


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "interactive", True)


def written(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "genai.toml").read_text())


def test_answers_on_a_terminal(wizard: Shell, terminal: None) -> None:
    replies = [
        "",
        "eu-central-1",
        "12",
        "123456789012",
        "",
        "https://x.openai.azure.com",
        "",
        "3",
        "per-zone",
        "y",
        TENANT,
        SUBSCRIPTION,
        "",
        "",
        "",
        "6",
        "a@example.com",
        "",
        "",
    ]
    answer = wizard("init", "--json", input="".join(f"{reply}\n" for reply in replies))
    assert answer.code == 0, answer.err
    assert answer.document["file"].endswith("genai.toml")  # the questions went elsewhere
    assert "'12' does not fit: twelve digits" in answer.err
    found = written(wizard.folder)
    assert (found["platform"], found["aws"]) == ({"name": "genai", "region": "eu-central-1"}, {"account_id": "123456789012"})
    azure = found["azure"]
    assert (found["network"]["zones"], found["network"]["nat"]) == (3, "per-zone")
    assert azure["apim"]["sku"] == "StandardV2"  # the sixth of those that are offered
    assert azure["apim"]["publisher_email"] == "a@example.com"
    assert (azure["enabled"], azure["tenant_id"], azure["subscription_id"], azure["resource_group"]) == (
        True,
        TENANT,
        SUBSCRIPTION,
        "genai",
    )
    assert azure["callers"] == {"team-a": {"models": ["gpt-4o-mini"], "max_budget": 50, "budget_duration": "30d"}}


def test_no_is_the_answer_to_an_empty_line(wizard: Shell, terminal: None) -> None:
    assert wizard("init", *AWS, input="\n" * 6).code == 0
    assert written(wizard.folder)["azure"] == {"enabled": False}


@pytest.mark.parametrize("name", ["a-", "a--b", "-a", "A", "a" * 17])
def test_a_name_that_the_settings_refuse_is_asked_for_again(wizard: Shell, terminal: None, name: str) -> None:
    answer = wizard("init", *AWS, input=f"{name}\ngood" + "\n" * 6)
    assert answer.code == 0
    assert f"'{name}' does not fit" in answer.out
    assert written(wizard.folder)["platform"]["name"] == "good"


def test_an_input_that_ends_writes_nothing(wizard: Shell, terminal: None) -> None:
    answer = wizard("init", input="\n")
    assert answer.code == 1
    assert not (wizard.folder / "genai.toml").exists()


def test_without_a_terminal_flags_say_it(wizard: Shell) -> None:
    answer = wizard("init", *AWS, "--tenant-id", TENANT)
    assert answer.code == 2
    assert "--subscription-id" in answer.err
    assert wizard("init", *AWS, "--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, "--caller", "team-b").code == 0
    assert list(written(wizard.folder)["azure"]["callers"]) == ["team-b"]
    assert "publisher_email" not in written(wizard.folder)["azure"]["apim"]
    assert "--force" in wizard("init", *AWS).err  # what exists is not replaced
    assert wizard("config", "show").code == 0


def test_who_is_signed_in_is_pinned(wizard: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.init._account", lambda: "210987654321")
    monkeypatch.setattr("genai_platform.cli.init._signed_in", lambda: {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION})
    assert wizard("init", "--api-base", "https://x.openai.azure.com").code == 0
    found = written(wizard.folder)
    assert (found["aws"]["account_id"], found["azure"]["tenant_id"]) == ("210987654321", TENANT)
    assert wizard("init", "--api-base", "https://x.openai.azure.com", "--force", "--no-azure").code == 0
    assert written(wizard.folder)["azure"] == {"enabled": False}


def test_who_the_azure_cli_is_signed_in_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_platform.cli.init import _signed_in

    program = tmp_path / "az"
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    for text, expected in (
        (f'echo \'{{"id": "{SUBSCRIPTION}", "tenantId": "{TENANT}"}}\'', {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION}),
        (
            f'echo \'{{"id": "{SUBSCRIPTION}", "tenantId": "{TENANT}", "user": {{"name": "a@example.com"}}}}\'',
            {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION, "publisher_email": "a@example.com"},
        ),
        ("echo please run az login >&2; exit 1", {}),
        ("echo surprise", {}),
    ):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o700)
        assert _signed_in() == expected


def test_an_answer_that_does_not_fit_writes_nothing(wizard: Shell) -> None:
    assert wizard("init", "--account-id", "12", "--api-base", "https://x.example.com").code == 2
    assert wizard("init", *AWS, "--tenant-id", "contoso", "--subscription-id", SUBSCRIPTION).code == 2
    assert not (wizard.folder / "genai.toml").exists()


def test_what_exists_is_offered_and_chosen_by_number(wizard: Shell, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = [Deployment("chat", "gpt-4o-mini", "", "Standard", 1), Deployment("gpt-4o", "gpt-4o", "", "Standard", 1)]
    monkeypatch.setattr("genai_platform.cli.init._signed_in", lambda: {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION})
    monkeypatch.setattr(CognitiveAccounts, "everywhere", lambda self: [ACCOUNT])
    monkeypatch.setattr(CognitiveAccounts, "deployments", lambda self, group, name: deployed if (group, name) == ("g", "x") else [])
    answer = wizard(
        "init", "--no-azure", "--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, input="\n\n123456789012\n\n1\n1, 2\n\n\n"
    )
    assert answer.code == 0, answer.err
    first, second = written(wizard.folder)["litellm"]["models"]
    assert (first["azure_deployment"], first["base_model"], first["api_base"]) == ("chat", "gpt-4o-mini", ACCOUNT.endpoint)
    assert (second["azure_deployment"], "base_model" in second) == ("gpt-4o", False)
    assert "gpt-4o-mini, Standard: paid by the token" in answer.out


def test_an_empty_line_takes_a_deployment_that_exists(wizard: Shell, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = [Deployment("chat", "gpt-4o", "", "Standard", 1)]
    monkeypatch.setattr("genai_platform.cli.init._signed_in", lambda: {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION})
    monkeypatch.setattr(CognitiveAccounts, "everywhere", lambda self: [ACCOUNT])
    monkeypatch.setattr(CognitiveAccounts, "deployments", lambda self, group, name: deployed)
    given = ("--account-id", "123456789012", "--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, "--no-azure")
    assert wizard("init", *given, input="\n" * 8).code == 0
    assert [model["azure_deployment"] for model in written(wizard.folder)["litellm"]["models"]] == ["chat"]
    deployed.append(Deployment("gpt-4o-mini", "gpt-4o-mini", "", "Standard", 1))
    assert wizard("init", "--force", *given, input="\n" * 8).code == 0
    assert [model["azure_deployment"] for model in written(wizard.folder)["litellm"]["models"]] == ["gpt-4o-mini"]


@pytest.mark.parametrize(("address", "auth"), [("https://x.openai.azure.com", "entra"), ("https://y.openai.azure.com", "key")])
def test_an_account_in_the_pinned_subscription_needs_no_key(
    wizard: Shell, monkeypatch: pytest.MonkeyPatch, address: str, auth: str
) -> None:
    monkeypatch.setattr(CognitiveAccounts, "everywhere", lambda self: [ACCOUNT])
    monkeypatch.setattr(CognitiveAccounts, "deployments", lambda self, group, name: [])
    given = ("--account-id", "123456789012", "--api-base", address, "--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION)
    answer = wizard("init", *given, "--publisher-email", "a@example.com")
    assert answer.code == 0, answer.err
    assert [model.get("auth", "key") for model in written(wizard.folder)["litellm"]["models"]] == [auth]
    assert ("AZURE_API_KEY." in (wizard.folder / "genai.toml").read_text().splitlines()[0]) is (auth == "key")


def test_a_sandbox_tells_itself_whose_it_is(wizard: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Settings.model_validate(
        {"aws": {"account_id": "123456789012"}, "azure": {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION}}
    )
    target = Target("sandbox", world, Endpoints(), wizard.folder)
    monkeypatch.setattr("genai_platform.cli.worlds.sandbox.Sandbox.enter", lambda self, purpose: target)
    answer = wizard("init", "--sandbox", "--yes", "--azure", "--api-base", "https://x.openai.azure.com")
    assert answer.code == 0, answer.err
    document = written(wizard.folder)
    assert document["aws"]["account_id"] == "123456789012"
    assert (document["azure"]["tenant_id"], document["azure"]["subscription_id"]) == (TENANT, SUBSCRIPTION)
    assert "next: genai doctor --sandbox, then genai up --sandbox\n" in answer.out
