"""Why an account or a deployment cannot be had, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from genai_platform.errors import MissingError
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.azure.openai.account import Wanted
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import Account, DeletedAccount, Deployment, QuotaExceeded

MORE_QUOTA = "lower its capacity, choose another sku or azure.openai.region, or ask for more: https://aka.ms/oai/quotaincrease"


def foreign_account(openai: Wanted, found: Account, there: Sequence[Deployment]) -> str:
    """What an account lacks that this environment did not make; empty where nothing is missing."""
    lacking = [one.name for one in accounts.missing(openai, there)]
    said = [f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not deployed there"] if lacking else []
    said += accounts.other_model(openai, there)
    if not said:
        return ""
    return f"the account {found.name} exists, this environment did not make it, so it is never changed, and {'; '.join(said)}"


def deleted_account(openai: Wanted, gone: DeletedAccount | None) -> MissingError:
    """The error for a deleted account that has the name. None: Azure says so, and who made it cannot be seen."""
    group, until = (gone.group, f", retained until {gone.until[:16]}") if gone else (openai.group, "")
    location = gone.location if gone else openai.location
    whose = "this environment did not make it" if gone else "whose it was cannot be seen: that is a right at the subscription"
    return MissingError(
        f"a deleted account holds the name {openai.name} (resource group {group}{until}), and {whose}",
        remedy="if nobody needs it, purge it: "
        f"az cognitiveservices account purge --name {openai.name} --resource-group {group} --location {location}; "
        "or choose another azure.openai.account",
        id="azure.openai_deleted",
    )


def taken_subdomain(clients: Clients, openai: Wanted) -> MissingError:
    """The error for a name that another account has, somewhere in Azure."""
    here = [one for one in clients.azure.cognitive.everywhere() if one.name.lower() == openai.name.lower()]
    if here:
        return MissingError(
            f"the account {openai.name} is in the resource group {here[0].group}, not in {openai.group}",
            remedy=f'to use it, set azure.openai.resource_group = "{here[0].group}"; or choose another azure.openai.account',
            id="azure.openai_name_taken",
        )
    return MissingError(
        f"the name {openai.name} is taken: it is the subdomain of another account, somewhere in Azure",
        remedy="choose another azure.openai.account",
        id="azure.openai_name_taken",
    )


def quota_used_up(openai: Wanted, one: Deployment, error: QuotaExceeded) -> QuotaExceeded:
    """The error for a deployment that the subscription has no quota for; Azure's message has the figures."""
    return QuotaExceeded(
        f"no quota for the deployment {one.name} ({one.model}, {one.sku}, capacity {one.capacity}) in {openai.location}: {error.message}",
        remedy=MORE_QUOTA,
        id="azure.openai_quota",
        error_code=error.error_code,
    )
