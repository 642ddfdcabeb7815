"""``[azure.openai]``: the account of Azure OpenAI that belongs to the platform, and the deployments in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from genai_platform.config.merged import Contradiction, entries, table
from genai_platform.config.model_defaults import at, deployments, is_azure
from genai_platform.config.values import AzureRegion, ModelName, ResourceGroup, Table, Whole

if TYPE_CHECKING:
    from genai_platform.config.models import AzureModel
    from genai_platform.config.settings import Settings


class Deployment(Table):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$")]
    """What the deployment is called; a model names it by ``azure_deployment``."""
    model: ModelName
    """The model as Azure names it, e.g. ``gpt-4o``."""
    version: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The model's version, e.g. ``2024-11-20``; default: the one that Azure deploys in the region."""
    sku: Literal[
        "Standard", "GlobalStandard", "DataZoneStandard", "ProvisionedManaged", "GlobalProvisionedManaged", "DataZoneProvisionedManaged",
        "DeveloperTier",
    ] = "Standard"  # fmt: skip
    """Where requests are processed and how they are paid. ``Standard``: in the account's region, by the token."""
    capacity: Annotated[Whole, Field(gt=0)]
    """Thousands of tokens a minute; of provisioned SKUs, units."""


class OpenAi(Table):
    account: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}[A-Za-z0-9]$")]
    """The account's name and subdomain, unique in all of Azure. One that exists and was not made here is used and never changed."""
    region: AzureRegion | None = None
    """Default: ``azure.location``."""
    resource_group: ResourceGroup | None = None
    """Default: the environment's own. Another one must exist."""
    deployments: Annotated[tuple[Deployment, ...], Field(min_length=1)]
    """What is deployed in the account."""


def models_of_account(settings: Settings) -> list[AzureModel]:
    """The models that are asked at the account."""
    wanted = settings.azure.openai
    return [model for model in settings.litellm.models if wanted and model.provider == "azure" and at(model.api_base, wanted.account)]


def key_variables(settings: Settings) -> frozenset[str]:
    """The environment variables that name the account's key. They belong to no other account."""
    return frozenset(variable for model in models_of_account(settings) if (variable := model.key_variable))


def contradictions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What the account, its deployments and the models may not say together."""
    openai = table(values, "azure", "openai")
    account = openai.get("account")
    if not openai or not isinstance(account, str):
        return
    if table(values, "azure").get("enabled") is not True:
        yield ("azure", "openai"), "needs azure.enabled = true: with it the tool works in Azure at all"
    deployed = openai.get("deployments")
    entry_names = [str(table(one).get("name")).lower() for one in deployed] if isinstance(deployed, list | tuple) else []
    for name, count in Counter(entry_names).items():
        if count > 1:
            yield ("azure", "openai", "deployments"), f"the name '{name}' is used {count} times; each deployment has a name of its own"
    known, elsewhere = deployments(values), _keys_elsewhere(values, account)
    for number, entry in enumerate(entries(values)):
        if not is_azure(entry) or not at(entry.get("api_base"), account):
            continue
        if isinstance(deployment := entry.get("azure_deployment"), str) and deployment not in known:
            problem = f"'{deployment}' is not among azure.openai.deployments: {', '.join(known)}"
            yield ("litellm", "models", number, "azure_deployment"), problem
        if entry.get("auth") != "entra" and (variable := entry.get("api_key_env", "AZURE_API_KEY")) in elsewhere:
            problem = f"'{variable}' is the key of {elsewhere[variable]}, too, which is not the account {account}; name another variable"
            yield ("litellm", "models", number, "api_key_env"), problem


def _keys_elsewhere(values: Mapping[str, Any], account: str) -> dict[Any, str]:
    """The variables of other accounts' keys, each with a model that uses it."""
    return {
        one.get("api_key_env", "AZURE_API_KEY" if is_azure(one) else "OPENAI_API_KEY"): str(one.get("name"))
        for one in entries(values)
        if isinstance(one.get("api_base"), str) and not at(one["api_base"], account) and one.get("auth") != "entra"
    }
