from __future__ import annotations

import tomllib

import pytest

from genai_platform.config.layers import Layer, validate
from genai_platform.config.settings import Settings
from genai_platform.config.wizard import AZURE, QUESTIONS, answer, missing
from genai_platform.config.wizard_file import document
from genai_platform.config.wizard_models import short_name

ANSWERS = {
    "name": "genai",
    "region": "eu-central-1",
    "account_id": "123456789012",
    "api_base": "https://x.openai.azure.com",
    "models": "gpt-4o-mini, gpt-4o",
}
IN_AZURE = {
    "tenant_id": "11111111-1111-4111-8111-111111111111",
    "subscription_id": "22222222-2222-4222-8222-222222222222",
    "location": "westeurope",
    "resource_group": "genai",
    "caller": "team-a",
}


def written(answers: dict[str, str]) -> Settings:
    return validate([Layer("genai.toml", tomllib.loads(document(answers)))]).settings


def test_the_file_is_valid_and_says_what_was_answered() -> None:
    found = written(ANSWERS)
    assert found.platform.region == "eu-central-1"
    assert found.aws.account_id == "123456789012"
    assert [(model.name, model.azure_deployment) for model in found.litellm.models] == [("gpt-4o-mini",) * 2, ("gpt-4o",) * 2]
    assert not found.azure.enabled


def test_with_azure_it_pins_tenant_and_subscription_and_has_one_caller() -> None:
    azure = written(ANSWERS | IN_AZURE).azure
    assert azure.enabled
    assert (azure.tenant_id, azure.subscription_id) == (IN_AZURE["tenant_id"], IN_AZURE["subscription_id"])
    assert (azure.location, azure.resource_group, azure.apim.sku) == ("westeurope", "genai", "BasicV2")
    assert azure.callers["team-a"].models == ("gpt-4o-mini", "gpt-4o")
    assert (azure.callers["team-a"].max_budget, azure.callers["team-a"].budget_duration) == (50, "30d")


def test_without_azure_its_keys_stand_there_to_be_filled_in() -> None:
    commented = document(ANSWERS).replace("enabled = false", "enabled = true").replace("…", "11111111-1111-4111-8111-111111111111")
    filled = "\n".join(
        line.removeprefix("# ") if line.startswith(("# tenant", "# sub", "# [azure", "# models", "# unverified")) else line
        for line in commented.splitlines()
    )
    found = validate([Layer("genai.toml", tomllib.loads(filled))]).settings.azure
    assert found.tenant_id == "11111111-1111-4111-8111-111111111111"
    assert found.callers["team-a"].models == ("gpt-4o-mini",)


def test_an_answer_is_asked_for_until_it_fits() -> None:
    replies = iter(["12", "not a number", "123456789012"])
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return next(replies)

    account = next(question for question in QUESTIONS if question.key == "account_id")
    assert answer(account, None, ask) == "123456789012"
    assert "'12' does not fit" in asked[1]


def test_an_empty_answer_takes_the_suggestion() -> None:
    region = next(question for question in QUESTIONS if question.key == "region")
    assert answer(region, None, lambda prompt: "") == "ap-northeast-1"
    assert answer(region, "us-east-1", lambda prompt: "") == "us-east-1"


def test_what_is_missing_names_its_flag() -> None:
    assert [question.flag for question in missing({**ANSWERS, "account_id": "", "api_base": ""})] == ["--account-id", "--api-base"]
    assert next(question.flag for question in missing({"tenant_id": "x"}, AZURE)) == "--subscription-id"


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("us-gov.amazon.nova-lite-v1:0", "nova-lite"),
        ("xai.grok-4.6", "grok-4.6"),
        ("minimax.minimax-m2.1", "minimax-m2.1"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("deepseek.r1-v1:0", "deepseek-r1"),
        ("amazon.titan-embed-text-v2:0:8k", "titan-embed-text"),
    ],
)
def test_a_model_of_bedrock_has_a_name_that_people_can_type(id: str, name: str) -> None:
    assert short_name(id) == name
