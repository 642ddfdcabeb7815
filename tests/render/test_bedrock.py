"""The policy of LiteLLM's role: what it allows, and what it leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from genai_platform.errors import ConfigError
from genai_platform.render.bedrock import Invocable, policy

TITAN = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0"
NOVA = "amazon.nova-lite-v1:0"
EU = "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.amazon.nova-lite-v1:0"
IN_EU = tuple(f"arn:aws:bedrock:{region}::foundation-model/{NOVA}" for region in ("eu-west-1", "eu-central-1"))


def statements(*invocable: Invocable) -> dict[str, dict[str, Any]]:
    text = policy(invocable)
    assert text
    return {one["Sid"]: one for one in json.loads(text)["Statement"]}


def test_nothing_configured_allows_nothing() -> None:
    assert policy([]) is None


def test_a_model_is_allowed_by_its_own_arn_and_nothing_else() -> None:
    assert statements(Invocable(TITAN)) == {
        "Models": {
            "Sid": "Models", "Effect": "Allow", "Resource": [TITAN],
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
        }
    }  # fmt: skip


def test_the_models_of_a_profile_are_allowed_through_it_alone() -> None:
    found = statements(Invocable(TITAN), Invocable(EU, IN_EU))
    assert found["Models"]["Resource"] == [TITAN]
    assert found["InferenceProfiles"]["Resource"] == [EU]
    assert "Condition" not in found["InferenceProfiles"]
    assert found["ModelsOfInferenceProfiles"]["Resource"] == sorted(IN_EU)
    assert found["ModelsOfInferenceProfiles"]["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": [EU]}}


def test_the_same_in_any_order_is_the_same_policy() -> None:
    """So a plan shows no change where nothing was changed."""
    one, other = Invocable(EU, IN_EU), Invocable(EU, IN_EU[::-1])
    assert policy([Invocable(TITAN), one]) == policy([other, Invocable(TITAN), one])


def test_more_than_iam_takes_is_refused_before_anything_is_changed() -> None:
    many = [Invocable(EU.replace("nova-lite", f"nova-{number}"), tuple(arn + str(number) for arn in IN_EU)) for number in range(50)]
    with pytest.raises(ConfigError, match=r"50 models of Amazon Bedrock need a policy of \d+ characters, and IAM takes 10240"):
        policy(many)
