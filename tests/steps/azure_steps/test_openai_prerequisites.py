"""What a region offers and what the quota leaves for deployments of Azure OpenAI, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import Forbidden
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import lookup, prerequisites, resource_providers
from genai_platform.tools.azure.cognitive import QuotaExceeded

from .openai_world import CHAT, answers, configured, made, prepared, step
from .world import AzureWorld, Quiet, ask, store


@pytest.fixture
def world(world: AzureWorld) -> AzureWorld:
    return prepared(world)


@contextmanager
def limited(world: AzureWorld, region: str, usage: str, limit: int) -> Iterator[None]:
    id = f"{SUBSCRIPTION}/{region}/{usage}"
    with store(world) as opened:
        opened.put("quotas", id, {"limit": limit})
    try:
        yield
    finally:
        with store(world) as opened:
            opened.delete("quotas", id)


def test_a_quota_that_is_used_up_is_said_with_its_figures(world: AzureWorld) -> None:
    configured(world, CHAT | {"capacity": 30}, region="swedencentral")
    with limited(world, "swedencentral", "OpenAI.Standard.gpt-4o-mini", 20):
        found = answers(world)["azure.openai_capacity"]
        assert found.error is not None
        assert "OpenAI.Standard.gpt-4o-mini: 30 needed, 20 of 20 free" in found.text
        assert "aka.ms/oai/quotaincrease" in str(found.error.remedy)
        world.clients().azure.arm.make_group(lookup.group_name(world.target), "japaneast", world.target.tags)
        with pytest.raises(QuotaExceeded, match=r"no quota for the deployment chat .*quota limit is 20"):
            step(world).apply(Quiet())
    configured(world, CHAT, region="swedencentral")
    step(world).apply(Quiet())
    with limited(world, "swedencentral", "OpenAI.Standard.gpt-4o-mini", 3):
        assert answers(world)["azure.openai_capacity"].error is None, "what the account has counts as its own"
        configured(world, CHAT | {"capacity": 4}, region="swedencentral")
        assert "1 needed, 0 of 3 free" in answers(world)["azure.openai_capacity"].text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "gpt-4o-mimi"}, "japaneast does not offer the model gpt-4o-mimi (chat); did you mean gpt-4o-mini?"),
        ({"version": "2020-01-01"}, "does not offer the version 2020-01-01 of gpt-4o-mini (chat), but 2024-07-18"),
        ({"model": "gpt-5"}, "does not offer gpt-5 as Standard (chat), but as GlobalStandard"),
    ],
)
def test_what_the_region_does_not_offer_is_said_with_what_it_does(world: AzureWorld, changed: dict[str, Any], said: str) -> None:
    configured(world, CHAT | changed)
    found = answers(world)["azure.openai_models"]
    assert said in found.text
    assert found.error is not None


def test_what_may_not_be_read_is_unknown_and_stops_nobody(world: AzureWorld) -> None:
    clients = world.clients()

    def refuse(location: str) -> Any:
        raise Forbidden("AuthorizationFailed", id="azure.403")

    clients.azure.cognitive.offers = clients.azure.cognitive.quotas = refuse  # type: ignore[method-assign]
    found = {one.id: one for one in prerequisites.looks(clients)}
    for id in ("azure.openai_models", "azure.openai_capacity"):
        assert found[id].unknown is not None
        assert found[id].error is None
    prerequisites.refuse(clients)


def test_in_a_fresh_subscription_it_is_unknown_until_the_provider_is_registered(world: AzureWorld) -> None:
    fresh = AzureWorld(world.layout, world.environment, ask(world.layout, "subscription", name="fresh"))
    configured(fresh)
    found = answers(fresh)
    assert [one.text for one in found.values() if one.error] == []
    assert found["azure.openai_capacity"].unknown is not None
    assert resource_providers.OPENAI in found["azure.providers"].text
    assert observe(step(fresh)).state is State.ABSENT
    made(fresh)
    assert step(fresh).observe().state is State.PRESENT
