"""A person's own part of LiteLLM's configuration over the generated one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from genai_platform.config.extra_config import ExtraConfig
from genai_platform.config.settings import Settings
from genai_platform.errors import ConfigError
from genai_platform.render import litellm

MODEL = {"name": "gpt", "azure_deployment": "d", "api_base": "https://x.openai.azure.com"}


def rendered(text: str) -> dict[str, Any]:
    extra = ExtraConfig("extra.yaml", yaml.safe_load(text), text)
    found = yaml.safe_load(litellm.proxy_config(Settings.model_validate({"litellm": {"models": [MODEL], "extra_config": extra}})))
    assert isinstance(found, dict)
    return found


def test_tables_merge_and_lists_continue() -> None:
    found = rendered(
        "model_list: [{model_name: gemini, litellm_params: {model: gemini/g, api_key: os.environ/KEY}}]\n"
        "litellm_settings: {callbacks: [prometheus], cache_params: {ttl: 60}}\n"
        "guardrails: [{guardrail_name: g}]\n"
        "router_settings: {num_retries: 4}\n"
        "general_settings:\n"
    )
    assert [model["model_name"] for model in found["model_list"]] == ["gpt", "gemini"]
    assert found["litellm_settings"]["callbacks"] == ["langfuse_otel", "prometheus"]
    assert found["litellm_settings"]["cache_params"] == {"type": "redis", "mode": "default_off", "ttl": 60}
    assert found["guardrails"] == [{"guardrail_name": "g"}]
    assert found["router_settings"]["num_retries"] == 4
    assert found["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("general_settings:\n  alerting: [slack]\n  master_key: sk-1\n", "extra.yaml, line 3: general_settings.master_key is set by"),
        ("litellm_settings:\n  cache_params:\n    type: local\n", "extra.yaml, line 3: litellm_settings.cache_params.type is set by"),
        ("router_settings: 1\n", "extra.yaml, line 1: router_settings is set by the platform"),
        (
            "model_list:\n- model_name: a\n  litellm_params: {}\n- litellm_params: {}\n  model_name: gpt\n",
            "extra.yaml, line 5: model_list[1].model_name 'gpt' is a model of genai.toml already",
        ),
        ("environment_variables:\n  DATABASE_URL: x\n", "extra.yaml, line 2: environment_variables.DATABASE_URL is a variable that"),
    ],
)
def test_what_the_platform_gives_stays_and_the_fault_names_key_file_and_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rendered(text)
    assert f"litellm.extra_config: {said}" in caught.value.message


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        rendered("general_settings:\n  master_key: sk-1\n  database_url: x\n")
    assert "line 2" in caught.value.message
    assert "line 3" in caught.value.message
    assert "sk-1" not in caught.value.message
