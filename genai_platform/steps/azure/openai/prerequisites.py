"""What can be known of the account before anything is made: whose it is, what its region offers, what the quota leaves."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

from genai_platform.errors import Forbidden, MissingError, NeverBuilt
from genai_platform.steps.azure import resource_providers, rights
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.azure.openai.account import Wanted
from genai_platform.steps.azure.openai.refusals import MORE_QUOTA, deleted_account, foreign_account, taken_subdomain
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import Deployment, Offer

_WRITE = "Microsoft.CognitiveServices/accounts/write"


def account(clients: Clients) -> str:
    """Whose the account is, or whether it can be made.

    Raises:
        MissingError: it is not this environment's and lacks something, or the name, the resource group or the right is missing.
    """
    openai, cognitive = accounts.wanted(clients.target), clients.azure.cognitive
    found = accounts.find(clients)
    if found is not None:
        if accounts.own(clients.target, found):
            return f"{found.name} in {found.location} is there"
        if faults := foreign_account(openai, found, cognitive.deployments(openai.group, openai.name)):
            raise MissingError(faults, remedy="have them deployed there, or choose another azure.openai.account", id="azure.openai_foreign")
        return f"{found.name} in {found.location} is not this environment's, and is used as it is"
    _place(clients, openai)
    for gone in cognitive.deleted(openai.name):
        if not accounts.own(clients.target, gone):
            raise deleted_account(openai, gone)
        return f"{gone.name} is deleted and will be restored or purged"
    if resource_providers.OPENAI in resource_providers.missing(clients):
        return f"{openai.name}: whether the name is free shows when it is made"
    why = cognitive.taken(openai.name)
    if why:
        raise taken_subdomain(clients, openai)
    return f"{openai.name} is free" if why is None else f"{openai.name}: whether it is free shows when it is made (no right to ask)"


def _place(clients: Clients, openai: Wanted) -> None:
    """Raise ``MissingError`` unless the account can be made in its resource group. The environment's own is judged with all the rest."""
    if openai.group == clients.target.resource_group:
        return
    scope, arm = f"/subscriptions/{clients.azure.subscription}/resourceGroups/{openai.group}", clients.azure.arm
    if arm.group(openai.group) is None:
        raise MissingError(
            f"the resource group {openai.group} (azure.openai.resource_group) does not exist",
            remedy="make it, or leave azure.openai.resource_group out: the environment's own is made",
            id="azure.openai_group",
        )
    if not arm.may(scope, _WRITE):
        raise MissingError(
            f"{clients.azure.identity.name} may not make an account of Azure OpenAI in {openai.group}",
            remedy=rights.grant(clients, "Cognitive Services Contributor", scope),
            id="azure.openai_rights",
        )


def models(clients: Clients) -> str:
    """Whether the region offers what is to be deployed.

    Raises:
        MissingError: it does not.
        Forbidden: we may not ask.
        NeverBuilt: the resource provider is not registered yet, and Azure does not tell.
    """
    openai, lacking = accounts.wanted(clients.target), _lacking(clients)
    if not lacking:
        return "nothing is to be deployed"
    offers = _offers(clients, openai)
    if faults := [fault for one in lacking if (fault := _not_offered(one, offers, openai.location))]:
        raise MissingError(
            "; ".join(faults),
            remedy=f"choose what is offered: az cognitiveservices model list --location {openai.location} -o table",
            id="azure.openai_models",
        )
    return f"{openai.location} offers {', '.join(dict.fromkeys(f'{one.model} ({one.sku})' for one in lacking))}"


def capacity(clients: Clients) -> str:
    """Whether the subscription's quota has room for what is to be deployed. Errors as of ``models``."""
    openai = accounts.wanted(clients.target)
    if not _lacking(clients):
        return "nothing is to be deployed"
    needed = _needed(clients, openai, _offers(clients, openai))
    try:
        quotas = clients.azure.cognitive.quotas(openai.location)
    except Forbidden as error:
        raise _may_not_ask(clients, error) from None
    seen = [name for name in needed if name in quotas]
    said = {name: f"{name}: {needed[name]} needed, {quotas[name].free} of {quotas[name].limit} free" for name in seen}
    if full := [text for name, text in said.items() if needed[name] > quotas[name].free]:
        raise MissingError(f"no quota in {openai.location}: {'; '.join(full)}", remedy=MORE_QUOTA, id="azure.openai_quota")
    if unknown := [name for name in needed if name not in quotas]:
        names = ", ".join(unknown)
        raise NeverBuilt(f"Azure has no quota called {names} in {openai.location}: whether there is room shows when it deploys")
    return "; ".join(said.values()) or "no more is needed than is deployed"


def _needed(clients: Clients, openai: Wanted, offers: Sequence[Offer]) -> dict[str, int]:
    """How much is needed of each quota, in addition to what the account's deployments have of it."""
    held = clients.azure.cognitive.deployments(openai.group, openai.name)
    found = Counter[str]()
    for one in openai.deployments:
        found[_quota(one, offers)] += one.capacity
    for one in held:
        if one.name not in accounts.unconfigured(openai, held):
            found[_quota(one, offers)] -= one.capacity
    return {name: count for name, count in found.items() if count > 0}


def _lacking(clients: Clients) -> list[Deployment]:
    """What would be deployed or changed; nothing in an account of somebody else."""
    openai, found = accounts.wanted(clients.target), accounts.find(clients)
    if found is None:
        return list(openai.deployments)
    if not accounts.own(clients.target, found):
        return []
    return [one for one, _ in accounts.differences(openai, clients.azure.cognitive.deployments(openai.group, openai.name))]


def _offers(clients: Clients, openai: Wanted) -> list[Offer]:
    if resource_providers.OPENAI in resource_providers.missing(clients):
        raise NeverBuilt(f"{resource_providers.OPENAI} is not registered yet: what a region offers is known once it is")
    try:
        return clients.azure.cognitive.offers(openai.location)
    except Forbidden as error:
        raise _may_not_ask(clients, error) from None


def _may_not_ask(clients: Clients, error: Forbidden) -> Forbidden:
    text = f"what is offered and what is used of the quota could not be read: {error.message}"
    return error.said(text, rights.grant(clients, "Reader", f"/subscriptions/{clients.azure.subscription}"))


def _not_offered(one: Deployment, offers: Iterable[Offer], location: str) -> str:
    """Why a deployment cannot be had in a region; empty where it can."""
    of_model = [offer for offer in offers if offer.model == one.model]
    if not of_model:
        near = difflib.get_close_matches(one.model, {offer.model for offer in offers}, n=1)
        return f"{location} does not offer the model {one.model} ({one.name}){f'; did you mean {near[0]}?' if near else ''}"
    of_version = [offer for offer in of_model if one.version in ("", offer.version)]
    if not of_version:
        others = _listed(offer.version for offer in of_model)
        return f"{location} does not offer the version {one.version} of {one.model} ({one.name}), but {others}"
    if one.sku not in {offer.sku for offer in of_version}:
        return f"{location} does not offer {one.model} as {one.sku} ({one.name}), but as {_listed(o.sku for o in of_version)}"
    return ""


def _quota(one: Deployment, offers: Sequence[Offer]) -> str:
    """The name of the quota that a deployment takes."""
    of_sku = [offer for offer in offers if (offer.model, offer.sku) == (one.model, one.sku)]
    exact = [offer for offer in of_sku if offer.version == one.version]
    return next((offer.quota for offer in (*exact, *of_sku) if offer.quota), f"OpenAI.{one.sku}.{one.model}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
