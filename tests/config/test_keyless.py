"""Models of Azure OpenAI without a key: what goes together in the settings, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.layers import Layer, validate
from genai_platform.config.models import Litellm
from genai_platform.errors import ConfigError

AZURE = {
    "enabled": True,
    "tenant_id": "11111111-1111-4111-8111-111111111111",
    "subscription_id": "22222222-2222-4222-8222-222222222222",
    "apim": {"publisher_email": "a@example.com", "unverified_backend": True},
}
KEY = {"name": "with-key", "azure_deployment": "d", "api_base": "https://x.openai.azure.com"}
KEYLESS = {**KEY, "name": "keyless", "auth": "entra"}


def litellm(*models: dict[str, Any], azure: dict[str, Any] = AZURE) -> Litellm:
    return validate([Layer("genai.toml", {"litellm": {"models": list(models)}, "azure": azure})]).settings.litellm


def refusal(*models: dict[str, Any], azure: dict[str, Any] = AZURE) -> str:
    with pytest.raises(ConfigError) as caught:
        litellm(*models, azure=azure)
    return caught.value.message


def test_a_model_without_a_key_asks_for_none_and_stands_beside_those_with_keys() -> None:
    found = litellm(KEY, KEYLESS, {**KEY, "name": "pair"}, {**KEYLESS, "name": "pair"})
    assert found.key_variables == ("AZURE_API_KEY",)
    assert [model.name for model in found.keyless] == ["keyless", "pair"]
    assert len({model.id for model in found.groups["pair"]}) == 2
    assert litellm(KEYLESS).key_variables == ()


def test_without_the_setting_every_model_has_a_key_though_azure_is_enabled() -> None:
    assert litellm(KEY).keyless == ()


def test_it_needs_azure() -> None:
    assert "azure.enabled, azure.tenant_id and azure.subscription_id" in refusal(KEY, KEYLESS, azure={})


def test_a_key_beside_it_is_refused() -> None:
    assert "reads no key; remove api_key_env" in refusal({**KEYLESS, "api_key_env": "MY_KEY"})


def test_no_other_models_key_may_be_called_like_what_it_signs_in_with() -> None:
    assert "AZURE_CLIENT_SECRET says how" in refusal(KEYLESS, {**KEY, "api_key_env": "AZURE_CLIENT_SECRET"})
    assert litellm({**KEY, "api_key_env": "AZURE_CLIENT_SECRET"}).key_variables == ("AZURE_CLIENT_SECRET",)


def test_only_azure_openai_takes_it() -> None:
    assert "auth" in refusal({"name": "o", "provider": "openai", "model": "gpt-4o-mini", "auth": "entra"})


def test_nor_may_a_secret_of_litellms_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "extra.yaml").write_text("litellm_settings:\n  api_key: os.environ/AZURE_API_KEY\n")

    def read(model: dict[str, Any]) -> Litellm:
        values = {"litellm": {"models": [model], "extra_config": "extra.yaml"}, "azure": AZURE}
        return validate([Layer("genai.toml", values)], tmp_path).settings.litellm

    assert read(KEY).key_variables == ("AZURE_API_KEY",)
    with pytest.raises(ConfigError) as caught:
        read(KEYLESS)
    assert 'extra.yaml: models with auth = "entra" would be asked with AZURE_API_KEY' in caught.value.message
