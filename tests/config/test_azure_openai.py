"""``[azure.openai]``: what models take from it, and what it may not say together with them."""

from __future__ import annotations

import pytest

from genai_platform.config import azure_openai

from .project import Project

ACCOUNT = """
[azure]
enabled = true
[azure.apim]
unverified_backend = true
publisher_email = "a@example.com"
[azure.openai]
account = "Acme-Models"
[[azure.openai.deployments]]
name = "chat"
model = "gpt-4o"
capacity = 30
"""
MODEL = """
[[litellm.models]]
name = "gpt-4o"
azure_deployment = "chat"
"""
ELSEWHERE = """
[[litellm.models]]
name = "other"
azure_deployment = "other"
api_base = "https://other.openai.azure.com"
"""


def test_a_model_of_a_deployment_has_the_accounts_address_and_its_model(project: Project) -> None:
    settings = project.write(ACCOUNT + MODEL + ELSEWHERE + 'api_key_env = "OTHER_KEY"').load().settings
    (model, other) = settings.litellm.models
    assert (model.api_base, model.base_model) == ("https://acme-models.openai.azure.com", "gpt-4o")
    assert (other.api_base, other.base_model) == ("https://other.openai.azure.com", None)
    assert azure_openai.models_of_account(settings) == [model]
    assert azure_openai.key_variables(settings) == {"AZURE_API_KEY"}


def test_what_a_model_says_itself_stays(project: Project) -> None:
    said = 'api_base = "https://acme-models.cognitiveservices.azure.com"\nbase_model = "gpt-4.1"\n'
    (model,) = project.write(ACCOUNT + MODEL + said).load().settings.litellm.models
    assert (model.api_base, model.base_model) == ("https://acme-models.cognitiveservices.azure.com", "gpt-4.1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ACCOUNT.replace("enabled = true", "enabled = false"), "azure.openai: needs azure.enabled = true"),
        (ACCOUNT.partition("[[azure")[0], "azure.openai.deployments"),
        (ACCOUNT.replace("Acme-Models", "acme_models"), "azure.openai.account"),
        (ACCOUNT.replace("capacity = 30", "capacity = 0"), "azure.openai.deployments[0].capacity"),
        (ACCOUNT + 'sku = "Standart"', "azure.openai.deployments[0].sku"),
        (ACCOUNT + ACCOUNT.partition('Acme-Models"\n')[2].replace("chat", "Chat"), "the name 'chat' is used 2 times"),
        (ACCOUNT + ELSEWHERE.replace("//other.", "//acme-models."), "'other' is not among azure.openai.deployments: chat"),
        (ACCOUNT + MODEL + ELSEWHERE, "litellm.models[0].api_key_env: 'AZURE_API_KEY' is the key of other, too"),
        (ACCOUNT + MODEL.replace("chat", "talk"), "litellm.models[0].api_base"),
    ],
)
def test_what_cannot_be_is_a_fault(project: Project, text: str, said: str) -> None:
    assert said in project.write(text).refused()
