"""The accounts of Azure OpenAI behind the models without a key: found in the pinned subscription by their addresses."""

from __future__ import annotations

from urllib.parse import urlsplit

from genai_platform.advice import run_genai
from genai_platform.config import azure_openai
from genai_platform.config.models import AzureModel
from genai_platform.errors import MissingError, NeverBuilt
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import Account


def used(clients: Clients) -> list[Account]:
    """The accounts that the configured models without a key are in, by name.

    Raises:
        NeverBuilt: the account of ``[azure.openai]`` is not there yet.
        MissingError: the subscription has none with a model's address, or it takes no tokens there.
    """
    known, found = clients.azure.cognitive.everywhere(), {}
    for model in clients.target.settings.litellm.keyless:
        account = _of(clients, model, known)
        found[account.id.lower()] = account
    return sorted(found.values(), key=lambda account: account.name)


def _of(clients: Clients, model: AzureModel, known: list[Account]) -> Account:
    host = str(urlsplit(model.api_base).hostname).lower()
    at = [account for account in known if host in account.hosts]
    if not at and model in azure_openai.models_of_account(clients.target.settings):
        raise NeverBuilt(
            f"the account of Azure OpenAI at {model.api_base} is not there yet",
            remedy=run_genai("azure --only azure.openai"),
            id="azure.no_openai",
        )
    if not at:
        raise MissingError(
            f"the model '{model.name}' (litellm.models) is to be asked without a key, and the subscription {clients.azure.subscription} "
            f"(azure.subscription_id) has no account of Azure OpenAI at {model.api_base}; it has {_listed(known)}",
            remedy='correct api_base or azure.subscription_id; a model of another subscription needs auth = "key"',
            id="azure.unknown_account",
        )
    own = next((account for account in at if account.subdomain), None)
    if own is None:
        raise MissingError(
            f"the model '{model.name}' (litellm.models) is to be asked without a key, and {model.api_base} is the address of a whole "
            "region, which takes keys alone",
            remedy="give the account a subdomain and its models that address: "
            f"az cognitiveservices account update --ids {at[0].id} --custom-domain {at[0].name}",
            id="azure.no_subdomain",
        )
    return own


def _listed(known: list[Account]) -> str:
    names = sorted(account.endpoint for account in known if account.subdomain)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
