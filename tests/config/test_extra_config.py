"""The file of ``litellm.extra_config``: how it is found, what is wrong with it, and what it adds to the models that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from genai_platform.config.layers import Layer, Loaded, load, validate
from genai_platform.errors import ConfigError

CALLER = 'azure.callers.team.models = ["gemini"]\n'
EXTRA = """\
model_list:
  - model_name: gemini
    litellm_params: {model: gemini/gemini-2.5-flash, api_key: os.environ/GEMINI_API_KEY}
general_settings:
  alerting_args: {hook: os.environ/HOOK, database: os.environ/DATABASE_URL}
"""


def loaded(folder: Path, extra: str | None, toml: str = "") -> Loaded:
    (folder / "genai.toml").write_text(f'litellm.extra_config = "more/extra.yaml"\n{toml}')
    (folder / "more").mkdir(exist_ok=True)
    if extra is not None:
        (folder / "more/extra.yaml").write_text(extra)
    return load(folder, environ={})


def test_it_is_read_beside_genai_toml_whatever_the_current_folder_is(tmp_path: Path) -> None:
    litellm = loaded(tmp_path, EXTRA, CALLER).settings.litellm
    assert litellm.names == ("gemini",)
    assert litellm.model_dump(mode="json")["extra_config"] == "more/extra.yaml"


def test_its_secrets_are_read_from_variables_like_the_models_keys(tmp_path: Path) -> None:
    """But for those that the proxy has anyway."""
    assert loaded(tmp_path, EXTRA).settings.litellm.key_variables == ("GEMINI_API_KEY", "HOOK")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (None, "litellm.extra_config: more/extra.yaml does not exist in "),
        ("a: [1", "litellm.extra_config: more/extra.yaml, line 1 is not valid YAML"),
        ("- a", "more/extra.yaml is not a table of LiteLLM's sections"),
        ("model_list: {a: b}", "more/extra.yaml: model_list is not a list"),
        ("model_list: [{model_name: a}]", "more/extra.yaml: model_list[0] is not a model with model_name and litellm_params"),
        ("a: os.environ/AWS_ACCESS_KEY_ID", "LiteLLM's pods have AWS_ACCESS_KEY_ID from their role"),
    ],
)
def test_what_is_wrong_with_it_is_said_with_its_place(tmp_path: Path, extra: str | None, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, extra)
    assert said in caught.value.message
    assert "(genai.toml)" in caught.value.message


def test_callers_and_fallbacks_may_name_its_models(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown model 'gemini'"):
        loaded(tmp_path, "{}", CALLER)
    model = '[[litellm.models]]\nname = "m"\nazure_deployment = "d"\napi_base = "https://x.example"\n'
    fallback = f'{model}[litellm.fallbacks.fallbacks]\nm = ["gemini"]\n'
    assert loaded(tmp_path, EXTRA, fallback).settings.litellm.fallbacks.fallbacks == {"m": ("gemini",)}


def test_a_configuration_can_be_looked_at_without_the_file() -> None:
    """That of another person, whose file is elsewhere: what it adds is not known, and nothing is called unknown because of it."""
    values = {"litellm": {"extra_config": "x.yaml"}, "azure": {"callers": {"team": {"models": ["gemini"]}}}}
    settings = validate([Layer("s3://bucket/genai", values)]).settings
    assert settings.model_dump(mode="json", exclude_unset=True)["litellm"] == {"extra_config": "x.yaml"}
