"""What tests of the account of Azure OpenAI share: settings with one, and accounts that somebody made."""

from __future__ import annotations

from typing import Any

from genai_platform.sandbox.azure import arm_providers
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.steps.azure import lookup, prerequisites, resource_providers
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.openai.step import OpenAiStep
from genai_platform.tools.azure.cognitive import READY, Account, Deployment

from .world import AzureWorld, Quiet, store, until

CHAT: dict[str, Any] = {"name": "chat", "model": "gpt-4o-mini", "capacity": 3}
EMBED: dict[str, Any] = {"name": "embed", "model": "text-embedding-3-small", "sku": "GlobalStandard", "capacity": 2}


def prepared(world: AzureWorld) -> AzureWorld:
    """An environment with ``[azure.openai]``, in a subscription that has used Azure OpenAI before."""
    with store(world) as opened:
        arm_providers.register(opened, SUBSCRIPTION, resource_providers.OPENAI)
    configured(world)
    return world


def configured(world: AzureWorld, *deployments: dict[str, Any], models: Any = None, **openai: Any) -> None:
    table = {"account": f"acme-{world.environment}", "deployments": deployments or (CHAT, EMBED)} | openai
    world.models = models or [{"name": "gpt-4o-mini", "azure_deployment": "gpt-4o-mini", "api_base": "https://x.openai.azure.com"}]
    world.configure(openai=table)


def keyed(world: AzureWorld) -> None:
    """A model at the account that has a key."""
    address = f"https://acme-{world.environment}.openai.azure.com"
    configured(world, models=[{"name": "chat", "azure_deployment": "chat", "api_base": address, "api_key_env": "ACME_KEY"}])


def step(world: AzureWorld) -> OpenAiStep:
    return OpenAiStep(world.clients())


def made(world: AzureWorld) -> Quiet:
    progress = Quiet()
    GroupStep(world.clients()).apply(progress)
    step(world).apply(progress)
    return progress


def account(world: AzureWorld) -> Account | None:
    return world.clients().azure.cognitive.account(lookup.group_name(world.target), f"acme-{world.environment}")


def deployments(world: AzureWorld, group: str = "") -> dict[str, Deployment]:
    found = world.clients().azure.cognitive.deployments(group or lookup.group_name(world.target), f"acme-{world.environment}")
    return {one.name: one for one in found}


def somebodys(world: AzureWorld, *deployed: Deployment, tags: dict[str, str] | None = None, group: str = "") -> str:
    """An account of the configured name that somebody made, and the resource group it is in."""
    group, name, cognitive = group or f"theirs-{world.environment}", f"acme-{world.environment}", world.clients().azure.cognitive
    world.clients().azure.arm.make_group(group, "japaneast", {})
    cognitive.begin(group, name, "japaneast", tags or {"owner": "somebody"}, keyless=False)
    until(lambda: (found := cognitive.account(group, name)) and found.state == READY)
    for one in deployed:
        cognitive.deploy(group, name, one)
        until(lambda: all(held.state == READY for held in cognitive.deployments(group, name)))
    return group


def answers(world: AzureWorld) -> dict[str, prerequisites.Answer]:
    return {one.id: one for one in prerequisites.looks(world.clients())}
