"""Models by their provider: what each takes, and what is said of a key that belongs to another."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from genai_platform.config.layers import Layer, validate
from genai_platform.config.models import AzureModel, BedrockModel, Litellm, OpenAIModel
from genai_platform.config.schema import schema
from genai_platform.errors import ConfigError

AZURE = {"name": "a", "azure_deployment": "gpt-4o", "api_base": "https://x.openai.azure.com"}
OPENAI = {"name": "o", "provider": "openai", "model": "gpt-4o-mini"}
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123def456"
BEDROCK = {"name": "b", "provider": "bedrock", "model": "us.amazon.nova-lite-v1:0"}
SCHEMA = Draft202012Validator(schema())


def values(*models: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"litellm": {"models": list(models)}, **further}


def litellm(*models: dict[str, Any], **further: Any) -> Litellm:
    return validate([Layer("genai.toml", values(*models, **further))]).settings.litellm


def refusal(*models: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        litellm(*models)
    return caught.value.message


def test_each_provider_has_its_own_keys_and_azure_is_the_default() -> None:
    found = litellm(AZURE, OPENAI, BEDROCK, platform={"region": "us-west-2"})
    assert [type(model) for model in found.models] == [AzureModel, OpenAIModel, BedrockModel]
    azure, openai, bedrock = found.models
    assert isinstance(openai, OpenAIModel)
    assert (openai.api_base, openai.api_key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    assert isinstance(bedrock, BedrockModel)
    assert bedrock.region == "us-west-2"
    assert found.bedrock == (bedrock,)
    assert [model.key_variable for model in found.models] == ["AZURE_API_KEY", "OPENAI_API_KEY", None]
    assert found.key_variables == ("AZURE_API_KEY", "OPENAI_API_KEY")
    assert [model.priced for model in found.models] == [True, True, True]
    assert azure.provider == "azure"


def test_a_bedrock_model_is_asked_in_the_region_it_names() -> None:
    assert litellm(BEDROCK | {"region": "eu-west-1"}, platform={"region": "us-west-2"}).bedrock[0].region == "eu-west-1"


def test_an_application_inference_profile_is_invoked_in_its_own_region_and_is_another_deployment_than_its_model() -> None:
    profile = BEDROCK | {"application_inference_profile": PROFILE}
    other = profile | {"application_inference_profile": PROFILE.replace("abc", "def")}
    found = litellm(profile, other, BEDROCK | {"region": "eu-west-1"}, platform={"region": "us-west-2"}).bedrock
    assert [(model.region, model.invoked, model.priced_as) for model in found] == [
        ("eu-west-1", PROFILE, BEDROCK["model"]),
        ("eu-west-1", other["application_inference_profile"], BEDROCK["model"]),
        ("eu-west-1", BEDROCK["model"], BEDROCK["model"]),
    ]
    assert len({model.id for model in found}) == len({model.address for model in found}) == 3


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            BEDROCK | {"api_key_env": "MY_KEY"},
            "litellm.models[0].api_key_env: belongs to the provider azure or openai, and this model's provider is bedrock; allowed here: "
            "application_inference_profile, mode, model, name, order, provider, region, rpm, tpm, weight (genai.toml)",
        ),
        (
            OPENAI | {"region": "us-east-1"},
            "litellm.models[0].region: belongs to the provider bedrock, and this model's provider is openai",
        ),
        # Not what an Azure model would lack: its provider was forgotten.
        (
            {"name": "m", "model": "gpt-4o"},
            "litellm.models[0].model: belongs to the provider openai or bedrock, and this model's provider is azure",
        ),
        (
            {"name": "m", "provider": "bedrok", "model": "x.y"},
            "litellm.models[0].provider: 'bedrok' is not allowed; did you mean 'bedrock'?; allowed: azure, openai, bedrock (genai.toml)",
        ),
        (
            BEDROCK | {"reigon": "x"},
            "litellm.models[0].reigon: unknown key; did you mean 'region'?; allowed here: application_inference_profile,",
        ),
        ({"name": "m", "provider": "openai"}, "litellm.models[0].model: is missing (genai.toml)"),
        (BEDROCK | {"mode": "responses"}, "litellm.models[0].mode: 'responses' is not allowed; allowed: chat, embedding"),
        (BEDROCK | {"model": "arn:aws:bedrock:us-east-1::x/y"}, "expected the id of a foundation model or an inference profile"),
        (
            BEDROCK | {"application_inference_profile": "abc123def456"},
            "expected the ARN of an application inference profile, e.g. arn:aws:",
        ),
        (
            BEDROCK | {"application_inference_profile": PROFILE, "region": "us-east-1"},
            "litellm.models[0].application_inference_profile: ",
        ),
        (BEDROCK | {"region": "mars"}, "litellm.models[0].region: 'mars' is not allowed; expected an AWS region"),
        (
            OPENAI | {"api_base": "https://api.openai.com/v1/chat/completions"},
            "expected the address that OpenAI's routes begin with, e.g. https://api.openai.com/v1",
        ),
    ],
)
def test_what_a_provider_does_not_take_is_said_once(model: dict[str, Any], said: str) -> None:
    message = refusal(model)
    assert said in message
    assert "faults" not in message


def test_a_trailing_slash_of_an_address_is_dropped() -> None:
    (model,) = litellm(OPENAI | {"api_base": "http://vllm.internal:8000/v1/"}).models
    assert model.address == "http://vllm.internal:8000/v1"


def test_a_group_may_have_deployments_of_several_providers_each_with_its_own_id() -> None:
    models = litellm(*({**model, "name": "chat"} for model in (AZURE, OPENAI, BEDROCK, BEDROCK | {"region": "us-east-1"}))).models
    assert len({model.id for model in models}) == 4
    assert all(model.id.isascii() for model in models)
    assert models[3].id.startswith("bedrock-us-east-1-")


def test_the_same_model_in_the_same_region_twice_is_refused() -> None:
    twice = refusal(BEDROCK, BEDROCK | {"region": "ap-northeast-1"})
    assert "the name 'b' is used twice for the deployment 'us.amazon.nova-lite-v1:0' at Amazon Bedrock in ap-northeast-1" in twice
    assert "is used twice for the deployment 'gpt-4o-mini' at https://api.openai.com/v1" in refusal(
        OPENAI, OPENAI | {"api_base": "https://api.openai.com/v1/"}
    )


def test_editors_are_told_of_the_keys_of_every_provider() -> None:
    assert [error.message for error in SCHEMA.iter_errors(values(AZURE, OPENAI, BEDROCK))] == []
    assert [error.json_path for error in SCHEMA.iter_errors(values(BEDROCK | {"region": "mars"}))] == ["$.litellm.models[0].region"]
    offered = schema()["$defs"]["Litellm"]["properties"]["models"]["items"]["properties"]
    assert {"azure_deployment", "model", "region", "api_base", "provider"} <= offered.keys()
    assert offered["provider"]["enum"] == ["azure", "openai", "bedrock"]
