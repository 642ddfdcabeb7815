"""Each deployment of each model is asked, and the one that does not answer is named with its place."""

from __future__ import annotations

import json

from genai_platform.advice import typed
from genai_platform.checks import models
from genai_platform.checks.check import Outcome
from genai_platform.config.settings import Settings

from .platform import PlatformWorld

AZURE = {"name": "chat", "azure_deployment": "gpt-4o", "api_base": "https://a.example"}
BEDROCK = {"name": "chat", "provider": "bedrock", "model": "us.amazon.nova-lite-v1:0", "region": "us-east-1"}
OPENAI = {"name": "mini", "provider": "openai", "model": "gpt-4o-mini"}
TITAN = {"name": "titan", "provider": "bedrock", "model": "amazon.titan-embed-text-v2:0", "mode": "embedding", "region": "eu-west-1"}
OLD = {"name": "old", "provider": "openai", "model": "davinci-002", "mode": "completion"}
SETTINGS = Settings.model_validate({"litellm": {"models": [AZURE, BEDROCK, OPENAI, TITAN, OLD]}})


def looks(world: PlatformWorld) -> dict[str, Outcome]:
    return {check.id: check.look() for check in models.checks(world.platform())}


def test_every_deployment_that_chats_or_embeds_is_asked_past_its_group() -> None:
    world = PlatformWorld(settings=SETTINGS)
    found = looks(world)
    assert {id: one.status for id, one in found.items()} == dict.fromkeys(
        ("models.chat.1", "models.chat.2", "models.mini", "models.titan"), "pass"
    )
    first, second = (model.id for model in SETTINGS.litellm.groups["chat"])
    assert [json.loads(content)["model"] for content in world.sent] == [first, second, "mini", "titan"]
    assert "us.amazon.nova-lite-v1:0 at Amazon Bedrock in us-east-1" in found["models.chat.2"].evidence
    assert "2 numbers" in found["models.titan"].evidence


def test_the_one_that_fails_is_named_with_what_to_look_at() -> None:
    bedrock = SETTINGS.litellm.bedrock[0].id
    found = looks(PlatformWorld(settings=SETTINGS, broken_models={bedrock: "AccessDeniedException", "mini": "no such model"}))
    assert [id for id, one in found.items() if one.status == "fail"] == ["models.chat.2", "models.mini"]
    assert "AccessDeniedException" in found["models.chat.2"].evidence
    assert "access to that model in us-east-1" in typed(found["models.chat.2"].hint)
    assert "gpt-4o-mini at https://api.openai.com/v1" in found["models.mini"].evidence
    assert "api_base, model and the key" in typed(found["models.mini"].hint)


def test_an_answer_that_lost_its_characters_or_an_empty_embedding_is_a_failure() -> None:
    found = looks(PlatformWorld(settings=SETTINGS, answer=b"Tokyo", embedding=[]))
    assert {one.status for one in found.values()} == {"fail"}
    assert "the embedding is empty" in found["models.titan"].evidence


def test_who_asks_first_asks_for_all() -> None:
    """``litellm.chat`` and these checks share the run's chats."""
    world = PlatformWorld(settings=SETTINGS)
    platform = world.platform()
    platform.run.chats()
    for check in models.checks(platform):
        check.look()
    assert len(world.sent) == 4
