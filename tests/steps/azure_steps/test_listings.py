"""What can be chosen from in a subscription, and what carries this tool's tags in it."""

from __future__ import annotations

from genai_platform.audit import environments
from genai_platform.audit.environments import Key
from genai_platform.sandbox.azure import openai_part
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.tools.aws.client import Aws

from .world import AzureWorld, Quiet, steps


def test_what_a_configuration_is_chosen_from(world: AzureWorld) -> None:
    openai_part.offer(world.layout, {"chat": "gpt-4o-mini", "gpt-4o": None})
    listings = world.clients().azure.listings
    assert listings.subscriptions()[SUBSCRIPTION] == "sandbox"
    assert listings.locations()["japaneast"] == "Japan East"
    assert "europe" not in listings.locations()  # not a place where anything can be made
    cognitive = world.clients().azure.cognitive
    (account,) = [one for one in cognitive.everywhere() if one.endpoint == world.layout.url("openai")]
    models = {one.name: one.model for one in cognitive.deployments(account.group, account.name)}
    assert (models["chat"], models["gpt-4o"]) == ("gpt-4o-mini", "gpt-4o")


def test_an_environment_is_found_by_its_tags(world: AzureWorld) -> None:
    clients = world.clients()
    azure = {step.id: step for step in steps(clients)}
    for id in ("azure.group", "azure.vault"):
        azure[id].apply(Quiet())
    found = environments.look(Aws(world.target), [clients.azure], ["ap-northeast-1"])
    assert len(found.unseen) == 1  # there is no AWS here
    seen = {one.key: one for one in found.environments}[Key("genai", world.environment)]
    assert (seen.resources, seen.regions) == (2, ("japaneast",))
    assert seen.started is not None
