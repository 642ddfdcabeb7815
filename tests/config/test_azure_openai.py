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
    assert azure_openai.key_variables(settings) == frozenset()


@pytest.mark.parametrize(
    ("said", "auth", "source"),
    [
        ("", "entra", "default (azure.openai)"),
        ('api_base = "https://ACME-models.openai.azure.com"\n', "entra", "default (azure.openai)"),
        ('api_base = "https://elsewhere.openai.azure.com"\n', "key", "default"),
        ('api_key_env = "ACME_KEY"\n', "key", "default"),
        ('auth = "key"\n', "key", "genai.toml"),
        ('auth = "entra"\n', "entra", "genai.toml"),
    ],
)
def test_a_model_of_the_account_needs_no_key_unless_it_says_so(project: Project, said: str, auth: str, source: str) -> None:
    loaded = project.write(ACCOUNT + MODEL + said).load()
    (model,) = loaded.settings.litellm.models
    assert (model.auth, loaded.source(("litellm", "models", 0, "auth"))) == (auth, source)
    assert [one.name for one in loaded.settings.litellm.keyless] == ([model.name] if auth == "entra" else [])


def test_what_follows_from_the_account_is_said_to(project: Project) -> None:
    loaded = project.write(ACCOUNT + MODEL).load()
    sources = {key: loaded.source(("litellm", "models", 0, key)) for key in ("name", "api_base", "base_model", "api_version")}
    assert sources == {
        "name": "genai.toml",
        "api_base": "default (azure.openai)",
        "base_model": "default (azure.openai)",
        "api_version": "default",
    }


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
        (ACCOUNT + MODEL + 'auth = "key"\n' + ELSEWHERE, "litellm.models[0].api_key_env: 'AZURE_API_KEY' is the key of other, too"),
        (ACCOUNT + MODEL.replace("chat", "talk"), "litellm.models[0].api_base"),
    ],
)
def test_what_cannot_be_is_a_fault(project: Project, text: str, said: str) -> None:
    assert said in project.write(text).refused()
