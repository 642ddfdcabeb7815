from __future__ import annotations

import tomllib

from genai_platform.config.layers import Layer, validate
from genai_platform.config.wizard import QUESTIONS, answer, document, missing, values

ANSWERS = {
    "name": "genai",
    "region": "eu-central-1",
    "account_id": "123456789012",
    "api_base": "https://x.openai.azure.com",
    "models": "gpt-4o-mini, gpt-4o",
}


def test_the_file_is_valid_and_says_what_was_answered() -> None:
    text = document(ANSWERS)
    settings = validate([Layer("genai.toml", tomllib.loads(text))]).settings
    assert settings.platform.region == "eu-central-1"
    assert settings.aws.account_id == "123456789012"
    assert [model.name for model in settings.litellm.models] == ["gpt-4o-mini", "gpt-4o"]
    assert settings == validate([Layer("answers", values(ANSWERS))]).settings


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
