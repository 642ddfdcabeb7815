"""What is left in Azure that is this environment's, and what Azure retains although it was deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genai_platform.config.unit_prices import apim_usd_per_hour
from genai_platform.errors import ConfigError, GenaiError, MissingError, Unreachable
from genai_platform.steps.azure import api, entra_applications, lookup, model_access, shared_key
from genai_platform.steps.azure.openai import account as openai
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.azure.vaults import SoftDeleted

_DIRECTORY_KEEPS_DAYS = 30
"""How long Entra ID keeps deleted applications (Microsoft Learn, "Restore or remove a recently deleted application")."""
_OPENAI = "azure:openai-account"
KEPT_KINDS = frozenset({"azure:resource-group", "azure:vault", "azure:application", "azure:role-assignment"})
"""What ``down --keep-data`` keeps on purpose."""


@dataclass
class Found:
    """What was found, and what could not be looked at."""

    standing: list[tuple[str, str, float, str]] = field(default_factory=list)
    """Kind, identifier, US dollars an hour, the command that removes it."""
    retained: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def audit(clients: Clients, roots: frozenset[str]) -> Found:
    """As ``look``, with only that in ``standing`` which nothing owns, and with what stays on purpose in ``retained``.

    The Azure half has no state of its own: what carries this environment's names and tags is owned while the platform exists. Once
    ``azure.enabled`` is off, nothing owns it; it is looked for where tenant and subscription are still configured.

    Args:
        clients: of the outside systems.
        roots: Terraform's roots that exist.
    """
    azure = clients.target.settings.azure
    if not azure.enabled and not (azure.tenant_id and azure.subscription_id):
        return Found()
    seen = look(clients)
    # With the storage alone, a day was ended and its data kept: some kinds stay on purpose, others should have gone.
    kept = KEPT_KINDS if azure.enabled and roots == {"storage"} else frozenset()
    seen.retained += [f"{id} ({kind}, {usd * 730:.2f} USD a month)" for kind, id, usd, _ in seen.standing if kind in kept]
    owned = azure.enabled and roots and not kept
    seen.standing = [] if owned else [one for one in seen.standing if one[0] not in kept]
    return seen


def look(clients: Clients) -> Found:
    """Look by tag, by name and among what is soft-deleted."""
    seen = Found()
    for part in (_group, _vaults, _services, _openai, _applications, _elsewhere):
        try:
            part(clients, seen)
        except (MissingError, ConfigError, Unreachable) as error:
            # Nobody is signed in, or Azure does not answer: the other parts would say the same.
            seen.unseen.append(error.message)
            break
        except GenaiError as error:
            seen.unseen.append(error.message)
    return seen


def _group(clients: Clients, seen: Found) -> None:
    name = lookup.group_name(clients.target)
    found = clients.azure.arm.group(name)
    if found and lookup.ours(clients.target, found.get("tags")):
        seen.standing.append(("azure:resource-group", name, 0.0, f"az group delete --name {name}"))


def _vaults(clients: Clients, seen: Found) -> None:
    if found := lookup.find_vault(clients):
        remove = f"az keyvault delete --name {found.name} && az keyvault purge --name {found.name}"
        seen.standing.append(("azure:vault", found.name, 0.0, remove))
    _deleted(clients, seen, "vault", clients.azure.vaults.deleted)


def _services(clients: Clients, seen: Found) -> None:
    azure, target = clients.azure, clients.target
    found = lookup.find_service(clients)
    if found and target.settings.azure.apim.existing:
        at, rest = f"--service-name {found.name} --resource-group {found.group}", f"https://management.azure.com{found.id}"
        name, backend = lookup.object_name(target, "api"), lookup.object_name(target, "litellm")
        # What `az` has no command for; API Management wants the version that is meant, any one here.
        rest_delete = f"az rest --method DELETE --url '{rest}/backends/{backend}?api-version=2024-05-01' --headers 'If-Match=*'"
        values = [lookup.object_name(target, kind) for kind in (shared_key.KIND, api.GATEWAY)]
        inside = (
            ("api", name, azure.apim.api(found, name), f"az apim api delete {at} --api-id {name} --yes"),
            ("backend", backend, azure.apim.backend(found, backend), rest_delete),
            *(
                ("named-value", value, azure.named_values.get(found, value), f"az apim nv delete {at} --named-value-id {value} --yes")
                for value in values
            ),
        )
        seen.standing += [(f"azure:apim-{kind}", f"{found.name}/{name}", 0.0, remove) for kind, name, there, remove in inside if there]
    elif found:
        remove = f"az apim delete --name {found.name} --resource-group {found.group}"
        seen.standing.append(("azure:api-management", found.name, apim_usd_per_hour(found.sku), remove))
    _deleted(clients, seen, "API Management service", azure.apim.deleted)


def _openai(clients: Clients, seen: Found) -> None:
    """The account of ``[azure.openai]``, and those of its name that were deleted and not purged."""
    if clients.target.settings.azure.openai is None:
        return
    found = openai.find(clients)
    if found and openai.own(clients.target, found):
        at = f"--name {found.name} --resource-group {found.group}"
        each = "".join(
            f"az cognitiveservices account deployment delete {at} --deployment-name {one.name} && "
            for one in clients.azure.cognitive.deployments(found.group, found.name)
        )
        purge = f"az cognitiveservices account purge {at} --location {found.location}"
        seen.standing.append((_OPENAI, found.name, 0.0, f"{each}az cognitiveservices account delete {at} && {purge}"))
    for gone in openai.deleted(clients, openai.wanted(clients.target).name):
        purge = f"az cognitiveservices account purge --name {gone.name} --resource-group {gone.group} --location {gone.location}"
        seen.retained.append(f"{gone.name} (deleted account of Azure OpenAI, retained until {gone.until[:16]}, costs nothing: {purge})")


def _deleted(clients: Clients, seen: Found, kind: str, ask: Callable[[str], object]) -> None:
    for name in lookup.candidates(clients.target):
        gone = ask(name)
        if isinstance(gone, SoftDeleted):
            seen.retained.append(f"{name} (deleted {kind}, retained until {gone.until[:10] or 'Azure frees it'}, costs nothing)")


def _applications(clients: Clients, seen: Found) -> None:
    prefix = entra_applications.prefix(clients.target)
    for entry in entra_applications.applications(clients, prefix):
        app = str(entry["appId"])
        seen.standing.append(("azure:application", str(entry["uniqueName"]), 0.0, f"az ad app delete --id {app}"))
    deleted = entra_applications.deleted(clients, prefix)
    for id in model_access.role_assignments(clients, deleted):
        seen.standing.append(("azure:role-assignment", id, 0.0, f"az role assignment delete --ids {id}"))
    ends = sorted(_end(entry) for entry in deleted)
    if len(ends) == 1:
        seen.retained.append(f"{prefix}* (1 deleted application, retained until {ends[0]}, costs nothing)")
    elif ends:
        seen.retained.append(f"{prefix}* ({len(ends)} deleted applications, the first retained until {ends[0]}, cost nothing)")


def _end(deleted: Body) -> str:
    """The day on which the directory frees a deleted application by itself; ``YYYY-MM-DD``."""
    at = datetime.fromisoformat(str(deleted["deletedDateTime"]))
    return (at + timedelta(days=_DIRECTORY_KEEPS_DAYS)).date().isoformat()


def _elsewhere(clients: Clients, seen: Found) -> None:
    """What carries our tags and was not found where it belongs."""
    known = {id.lower() for _, id, _, _ in seen.standing}
    for id, kind, name in clients.azure.arm.tagged(clients.target.tags):
        if name.lower() not in known:
            seen.standing.append((f"azure:{kind}", id, 0.0, f"az resource delete --ids {id}"))
