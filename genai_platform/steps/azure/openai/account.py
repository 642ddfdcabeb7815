"""Which account the settings mean, whose it is, its key, and what differs from the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import SecretStr

from genai_platform.config import azure_openai
from genai_platform.config.models import AzureModel, OpenAIModel
from genai_platform.config.target import Target
from genai_platform.steps.azure import lookup
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import READY, Account, DeletedAccount, Deployment

_KIND = "microsoft.cognitiveservices/accounts"


@dataclass(frozen=True)
class Wanted:
    """What the settings say."""

    name: str
    group: str
    location: str
    keyless: bool
    """Whether keys are refused: no model needs one."""
    deployments: tuple[Deployment, ...]


def wanted(target: Target) -> Wanted:
    """The account of a target that has the table ``[azure.openai]``."""
    settings, openai = target.settings, target.settings.azure.openai
    if openai is None:
        raise ValueError("[azure.openai] is not configured")
    return Wanted(
        openai.account,
        openai.resource_group or target.resource_group,
        openai.region or settings.azure.location,
        not azure_openai.key_variables(settings),
        tuple(Deployment(one.name, one.model, one.version or "", one.sku, one.capacity) for one in openai.deployments),
    )


def find(clients: Clients) -> Account | None:
    """The account as it exists."""
    openai = wanted(clients.target)
    return clients.azure.cognitive.account(openai.group, openai.name)


def deleted(clients: Clients, name: str) -> list[DeletedAccount]:
    """The soft-deleted accounts of a name that this environment made."""
    return [one for one in clients.azure.cognitive.deleted(name) if own(clients.target, one)]


def find_unconfigured(clients: Clients) -> list[Account]:
    """The accounts that carry this environment's tags and that the settings do not have, neither as theirs nor as a model's address."""
    azure, openai = clients.azure, clients.target.settings.azure.openai
    configured = (wanted(clients.target).group.lower(), wanted(clients.target).name.lower()) if openai else None
    named = [(id.split("/")[4], name) for id, kind, name in azure.arm.tagged(clients.target.tags) if kind.lower() == _KIND]
    found = [azure.cognitive.account(group, name) for group, name in named if (group.lower(), name.lower()) != configured]
    return [one for one in found if one is not None and own(clients.target, one) and not _used(clients.target, one)]


def _used(target: Target, found: Account) -> bool:
    """Whether a model is asked at this account, in the settings or in ``litellm.extra_config``."""
    litellm = target.settings.litellm
    texts = [model.api_base for model in litellm.models if isinstance(model, AzureModel | OpenAIModel)]
    texts += [litellm.extra_config.text] if litellm.extra_config else []
    return any(host in text.lower() for host in found.hosts for text in texts)


def own(target: Target, found: Account | DeletedAccount) -> bool:
    """Whether this environment made it."""
    return lookup.ours(target, dict(found.tags))


def key_variables(clients: Clients) -> frozenset[str]:
    """The variables of keys that nobody needs to set: the account is made by this environment, or was."""
    named = azure_openai.key_variables(clients.target.settings)
    found = find(clients) if named else None
    return named if found is None or own(clients.target, found) else frozenset()


def keys(clients: Clients) -> dict[str, SecretStr]:
    """The key by those variables, read from Azure; nothing while the account is not there, or is somebody else's."""
    named = azure_openai.key_variables(clients.target.settings)
    found = find(clients) if named else None
    if found is None or not own(clients.target, found) or found.state != READY or found.keyless:
        return {}
    return dict.fromkeys(named, clients.azure.cognitive.key(found.group, found.name))


def missing(openai: Wanted, there: Sequence[Deployment]) -> list[Deployment]:
    """What is not deployed at all."""
    return [one for one in openai.deployments if _same(one, there) is None]


def other_model(openai: Wanted, there: Sequence[Deployment]) -> list[str]:
    """Deployments of another model than the settings say, one line each."""
    pairs = [(one, _same(one, there)) for one in openai.deployments]
    return [f"{one.name} is of {held.model}, not of {one.model}" for one, held in pairs if held and held.model != one.model]


def differences(openai: Wanted, there: Sequence[Deployment]) -> Iterator[tuple[Deployment, str]]:
    """What has to be deployed or changed, each with what is different. A version that is not configured is the region's choice."""
    for one in openai.deployments:
        held = _same(one, there)
        if held is None:
            yield one, f"{one.name} is missing"
            continue
        compared = one if one.version else replace(one, version=held.version)
        said = [
            f"{what} {before}, not {after}"
            for what, before, after in (
                ("version", held.version, compared.version),
                ("sku", held.sku, compared.sku),
                ("capacity", held.capacity, compared.capacity),
                ("state", held.state, READY),
            )
            if before != after
        ]
        if said:
            yield compared, f"{one.name}: {', '.join(said)}"


def unconfigured(openai: Wanted, there: Sequence[Deployment]) -> list[str]:
    """The names of deployments that the settings do not have."""
    configured = {one.name.lower() for one in openai.deployments}
    return [one.name for one in there if one.name.lower() not in configured]


def _same(one: Deployment, there: Sequence[Deployment]) -> Deployment | None:
    return next((held for held in there if held.name.lower() == one.name.lower()), None)
