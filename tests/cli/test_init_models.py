"""``genai init``: models of Amazon Bedrock and of other providers, and people who sign in with Entra ID."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from genai_platform.config.layers import load
from genai_platform.config.settings import Settings
from genai_platform.errors import MissingError
from genai_platform.tools.aws.client import Aws
from genai_platform.ui.screen import Screen
from tests.cli.conftest import Shell

TENANT, SUBSCRIPTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ACCOUNT = "123456789012"
HAIKU, NOVA = "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
ENTER = "\n" * 20


class Bedrock:
    """The control plane of a region: a model, a deprecated one, one that LiteLLM has no price for, and two inference profiles."""

    denied = False

    def list_foundation_models(self, **filters: str) -> dict[str, Any]:
        assert filters == {"byInferenceType": "ON_DEMAND"}
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not yours"}}, "ListFoundationModels")
        states = {NOVA: "ACTIVE", "amazon.titan-text-lite-v1": "LEGACY", "acme.new-v1:0": "ACTIVE"}
        return {"modelSummaries": [{"modelId": id, "modelName": id, "modelLifecycle": {"status": it}} for id, it in states.items()]}

    def get_paginator(self, operation: str) -> Bedrock:
        assert operation == "list_inference_profiles"
        return self

    def paginate(self, **filters: str) -> list[dict[str, Any]]:
        assert filters == {"typeEquals": "SYSTEM_DEFINED"}
        states = {HAIKU: "ACTIVE", "eu.meta.llama3-2-1b-instruct-v1:0": "CREATING"}
        listed = [{"inferenceProfileId": id, "inferenceProfileName": id, "status": state} for id, state in states.items()]
        return [{"inferenceProfileSummaries": listed[:1]}, {"inferenceProfileSummaries": listed[1:]}]


@pytest.fixture
def wizard(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder without a configuration, a terminal, and nobody signed in anywhere."""
    (shell.folder / "genai.toml").unlink()
    monkeypatch.setattr("genai_platform.cli.init._account", lambda: None)
    monkeypatch.setattr("genai_platform.cli.init._signed_in", dict)
    monkeypatch.setattr(Screen, "interactive", True)
    return shell


@pytest.fixture
def bedrock(wizard: Shell, monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    """Somebody is signed in to an AWS that answers for Bedrock alone."""
    region = Bedrock()

    def client(self: Aws, name: str, region_name: str | None = None) -> Any:
        if name != "bedrock":
            raise MissingError(f"could not ask {name}")
        assert region_name == "eu-central-1"
        return region

    monkeypatch.setattr("genai_platform.cli.init._account", lambda: ACCOUNT)
    monkeypatch.setattr(Aws, "client", client)
    return region


def settings(folder: Path) -> Settings:
    return load(folder, environ={}).settings


def test_models_of_bedrock_are_offered_and_need_neither_an_azure_address_nor_a_key(wizard: Shell, bedrock: Bedrock) -> None:
    answer = wizard("init", "--region", "eu-central-1", input=f"\n\n2\n1,2{ENTER}")
    assert answer.code == 0, answer.err
    found = settings(wizard.folder).litellm
    assert [(model.name, model.provider, model.upstream) for model in found.models] == [
        ("nova-lite", "bedrock", NOVA),
        ("claude-haiku-4-5", "bedrock", HAIKU),
    ]
    assert found.key_variables == ()
    assert "no model needs a key" in (wizard.folder / "genai.toml").read_text()
    assert f"1. {NOVA}: {NOVA}, answered in eu-central-1; paid by the token" in answer.out
    assert f"2. {HAIKU}: {HAIKU}, may be answered in other regions; paid by the token" in answer.out
    for other in ("titan-text-lite", "acme.new", "llama3-2", "Azure OpenAI address"):
        assert other not in answer.out


def test_an_unanswered_look_up_says_why_and_the_id_is_typed(wizard: Shell, bedrock: Bedrock) -> None:
    bedrock.denied = True
    answer = wizard("init", "--region", "eu-central-1", "--provider", "bedrock", input=f"\n\n1\n{NOVA}{ENTER}")
    assert answer.code == 0, answer.err
    told = "not offered: could not list the models of Amazon Bedrock in eu-central-1: AccessDeniedException: not yours"
    assert answer.out.count(told) == 1
    assert "'1' does not fit" in answer.out  # nothing was offered by number
    assert [model.upstream for model in settings(wizard.folder).litellm.models] == [NOVA]


def test_who_is_not_signed_in_is_told_once_and_types_everything(wizard: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str | None:
        raise MissingError("could not ask AWS whose credentials these are")

    monkeypatch.setattr("genai_platform.cli.init._account", nobody)
    answer = wizard("init", "--account-id", ACCOUNT, "--api-base", "https://x.openai.azure.com", input=ENTER)
    assert answer.code == 0, answer.err
    assert answer.out.count("not offered: what is in AWS: could not ask AWS whose credentials these are\n") == 1
    assert answer.out.count("not offered: what is in Azure") == 1
    (model,) = settings(wizard.folder).litellm.models
    assert (model.name, model.provider) == ("gpt-4o-mini", "azure")


def test_every_provider_has_flags_and_each_model_a_name_of_its_own(wizard: Shell) -> None:
    answer = wizard(
        "init", "--yes", "--account-id", ACCOUNT, "--api-base", "https://x.openai.azure.com", "--model", "gpt-4o",
        "--openai-model", "gpt-4o",
        "--openai-model", "qwen3-embed", "--openai-base", "https://vllm.example.com/v1", "--bedrock-model", f"us.{NOVA}",
        "--bedrock-model", NOVA, "--bedrock-model", "cohere.embed-v4:0",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    found = settings(wizard.folder).litellm
    assert [(model.name, model.provider, model.mode) for model in found.models] == [
        ("gpt-4o", "azure", "chat"),
        ("nova-lite", "bedrock", "chat"),
        (NOVA, "bedrock", "chat"),
        ("cohere-embed", "bedrock", "embedding"),
        ("openai-gpt-4o", "openai", "chat"),
        ("qwen3-embed", "openai", "embedding"),
    ]
    assert found.models[-1].address == "https://vllm.example.com/v1"
    first = (wizard.folder / "genai.toml").read_text().splitlines()[0]
    assert first.endswith("the models' keys are read from AZURE_API_KEY and OPENAI_API_KEY.")


def test_what_a_chosen_provider_misses_names_its_flag(wizard: Shell) -> None:
    answer = wizard("init", "--yes", "--account-id", ACCOUNT, "--provider", "bedrock", "--provider", "openai")
    assert answer.code == 2
    assert "give --bedrock-model …" in answer.err
    unknown = wizard("init", "--yes", "--account-id", ACCOUNT, "--provider", "acme")
    assert (unknown.code, "--provider 'acme' does not fit" in unknown.err, "azure, bedrock or openai" in unknown.err) == (2, True, True)
    assert not (wizard.folder / "genai.toml").exists()


def test_people_may_sign_in_with_entra_id(wizard: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    near = {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION, "publisher_email": "Anna@example.com"}
    monkeypatch.setattr("genai_platform.cli.init._signed_in", lambda: near)
    given = ("--account-id", ACCOUNT, "--bedrock-model", NOVA, "--apim", "BasicV2", "--location", "japaneast")
    asked = wizard("init", *given, "--sign-in", "entra", input=ENTER)
    assert asked.code == 0, asked.err
    found = settings(wizard.folder)
    assert (found.litellm.sign_in, found.langfuse.sign_in, found.sign_in.people) == ("entra", "entra", ("anna@example.com",))
    assert found.langfuse.user_email == "Anna@example.com"  # nobody could sign in as the owner it has otherwise
    assert wizard("init", "--yes", "--force", *given, "--person", "bo@example.com", "--person", TENANT).code == 0
    assert settings(wizard.folder).sign_in.people == ("bo@example.com", TENANT)
    assert wizard("init", "--yes", "--force", *given).code == 0
    assert settings(wizard.folder).litellm.sign_in == "password"


def test_signing_in_with_entra_id_needs_the_azure_half(wizard: Shell) -> None:
    answer = wizard("init", "--yes", "--account-id", ACCOUNT, "--bedrock-model", NOVA, "--no-azure", "--sign-in", "entra")
    assert answer.code == 2
    assert "--sign-in entra needs the Azure half" in answer.err
    unnamed = wizard("init", "--yes", "--account-id", ACCOUNT, "--bedrock-model", NOVA, "--sign-in", "entra")
    assert "give --tenant-id … --subscription-id … --person …" in unnamed.err
