"""The models on Azure: address, deployment, mode and version."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from genai_platform.config import azure_models, priced_models
from genai_platform.config.layers import load
from genai_platform.config.models import BedrockModel
from genai_platform.errors import ConfigError

URI = "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01-preview"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (URI, "https://x.openai.azure.com"),
        ("https://x.openai.azure.com/", "https://x.openai.azure.com"),
        ("https://x.openai.azure.com/openai/v1/", "https://x.openai.azure.com"),
        ("https://x.services.ai.azure.com/api/projects/p", "https://x.services.ai.azure.com"),
        ("https://gateway.example.com/team/openai/deployments/d", "https://gateway.example.com/team"),
        ("https://gateway.example.com/team", "https://gateway.example.com/team"),
    ],
)
def test_a_target_uri_becomes_the_address_that_it_begins_with(tmp_path: Path, given: str, address: str) -> None:
    model = f'{{name="m",azure_deployment="d",api_base="{given}",api_version="2025-01-01-preview"}}'
    assert load(tmp_path, sets=[f"litellm.models=[{model}]"], environ={}).settings.litellm.models[0].api_base == address


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (f'azure_deployment="other",api_base="{URI}"', "azure_deployment: 'other' is not what api_base says: 'd'"),
        (f'azure_deployment="d",api_base="{URI}"', "api_version: '2024-10-21' is not what api_base says"),
        (f'azure_deployment="d",api_version="v1",api_base="{URI}"', "api_version: 'v1' is not what api_base says: '2025-01-01-preview'"),
        ('azure_deployment="d",api_base="https://x.openai.azure.com/?code=1"', "expected the address of the resource"),
        ('azure_deployment="d",mode="responses",api_version="2024-10-21",api_base="https://x.example"', "has no /openai/responses"),
        ('azure_deployment="d",base_model="gpt-5-codex",api_version="2024-10-21",api_base="https://x.example"', "or later, or v1"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(tmp_path: Path, model: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(tmp_path, sets=[f'litellm.models=[{{name="m",{model}}}]'], environ={})


@pytest.mark.parametrize(
    ("model", "version"),
    [('mode="chat"', "2024-10-21"), ('mode="responses"', "2025-03-01-preview"), ('base_model="azure/gpt-5-codex"', "2025-03-01-preview")],
)
def test_the_api_version_fits_what_the_model_is_asked_by(tmp_path: Path, model: str, version: str) -> None:
    text = f'litellm.models=[{{name="m",azure_deployment="d",api_base="https://x.example",{model}}}]'
    assert load(tmp_path, sets=[text], environ={}).settings.litellm.models[0].api_version == version


def test_one_deployment_has_one_mode(tmp_path: Path) -> None:
    model = '{name="%s",azure_deployment="d",api_base="https://x.example",mode="%s"}'
    with pytest.raises(ConfigError, match="the deployment 'd' is chat in 'a' and responses here"):
        load(tmp_path, sets=[f"litellm.models=[{model % ('a', 'chat')},{model % ('b', 'responses')}]"], environ={})


def prices() -> dict[str, Any]:
    """The price map inside the LiteLLM that the sandbox runs: those that count tokens."""
    folder = Path(str(importlib.util.find_spec("litellm").origin)).parent  # type: ignore[union-attr]
    found = json.loads((folder / "model_prices_and_context_window_backup.json").read_text())
    modes, costs = {"chat", "responses", "embedding", "completion"}, ("input_cost_per_token", "output_cost_per_token")
    return {name: entry for name, entry in found.items() if entry.get("mode") in modes and any(entry.get(cost) for cost in costs)}


def test_the_list_of_priced_models_is_the_one_of_the_proxy() -> None:
    azure = {name.removeprefix("azure/"): entry["mode"] for name, entry in prices().items() if name.startswith("azure/")}
    assert azure == azure_models.PRICED
    assert importlib.metadata.version("litellm") == azure_models.VERSION


def test_the_lists_of_other_providers_are_the_ones_of_the_proxy() -> None:
    makers = {name: entry["litellm_provider"] for name, entry in prices().items() if "/" not in name}
    assert {name for name, maker in makers.items() if maker in ("openai", "text-completion-openai")} == priced_models.OPENAI
    bedrock = {name for name, maker in makers.items() if maker in ("bedrock", "bedrock_converse")}
    assert bedrock >= priced_models.BEDROCK
    ids = [name for name in bedrock if name.partition(".")[2] and "@" not in name and not name.startswith("claude-")]
    assert [id for id in ids if not BedrockModel(provider="bedrock", name="m", model=id).priced] == []


def test_a_bedrock_model_of_an_unknown_name_has_no_price() -> None:
    assert not BedrockModel(provider="bedrock", name="m", model="us.amazon.nova-unheard-v1:0").priced
