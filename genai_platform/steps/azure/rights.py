"""Who we are in Azure, and whether we may do what the Azure half needs: each missing right with the command that grants it."""

from __future__ import annotations

from typing import Literal

from genai_platform.config.target import Target
from genai_platform.errors import Forbidden, MissingError, NeverBuilt
from genai_platform.render import sign_in
from genai_platform.steps.azure import check_applications, lookup, model_accounts
from genai_platform.steps.azure import entra_applications as own
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.arm import allows
from genai_platform.tools.azure.entra import APPLICATION_ADMINISTRATORS, CLOUD_APPLICATION_ADMINISTRATOR

_GRAPH = "00000003-0000-0000-c000-000000000000"
_READ_ORGANIZATION = "498476ce-e0fe-48b0-b801-37ba7e2685c6"
"""Microsoft Graph's app role Organization.Read.All (Microsoft Graph permissions reference)."""
_IDS = {
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
}
"""Microsoft Graph's app role ids (Microsoft Graph permissions reference)."""
_FOR_NAMES = {"User.ReadBasic.All": "97235f07-e226-4f63-ace3-39588e11d3a1"}
"""Only where people who may sign in are named by user principal name."""
_ENOUGH = {
    "Application.ReadWrite.OwnedBy": {"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"},
    "Application.Read.All": {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"},
    "AppRoleAssignment.ReadWrite.All": {"AppRoleAssignment.ReadWrite.All"},
    "User.ReadBasic.All": {"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"},
}
_ADMINISTRATOR, _ASSIGN = "Role Based Access Control Administrator", "Microsoft.Authorization/roleAssignments/write"
_BUILD = {"Contributor": ("Microsoft.ApiManagement/service/write", "Microsoft.KeyVault/vaults/write"), _ADMINISTRATOR: (_ASSIGN,)}
Purged = Literal["vaults", "API Management services", "Azure OpenAI accounts"]
_PURGE: dict[Purged, str] = {
    "vaults": "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    "API Management services": "Microsoft.ApiManagement/locations/deletedservices/delete",
    "Azure OpenAI accounts": "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/delete",
}
_QUOTA = 250
"""Directory objects that an identity without a directory role may own, deleted ones included."""


def identity(clients: Clients) -> str:
    """The identity in use."""
    who = clients.azure.identity
    return f"{who.name} ({who.kind}) in tenant {who.tenant_id}"


def directory(clients: Clients) -> str:
    """Whether the directory may be read and written. Raises ``MissingError`` with what is lacking."""
    graph = clients.azure.graph
    try:
        own.application(clients, own.api_name(clients.target))
    except Forbidden:
        raise _lacks(clients, ["Application.Read.All"]) from None
    if clients.azure.identity.kind == "User":
        roles = graph.directory_roles()
        if roles is None:
            return "the directory can be read; the token does not say which directory roles you hold"
        if not roles & APPLICATION_ADMINISTRATORS:
            raise _lacks(clients, [])
        return "you hold a directory role that administers applications"
    named = sign_in.tools(clients.target.settings) and any("@" in name for name in clients.target.settings.sign_in.people)
    needed = [*_IDS, *(_FOR_NAMES if named else ())]
    missing = [name for name in needed if not _ENOUGH[name] & graph.permissions()]
    if missing:
        raise _lacks(clients, missing)
    return "the Graph permissions are there"


def _lacks(clients: Clients, permissions: list[str]) -> MissingError:
    who, ids = clients.azure.identity, _IDS | _FOR_NAMES
    if who.kind == "User":
        body = f'{{"principalId":"{who.object_id}","roleDefinitionId":"{CLOUD_APPLICATION_ADMINISTRATOR}","directoryScopeId":"/"}}'
        return MissingError(
            f"{who.name} lacks the directory role Cloud Application Administrator",
            remedy="by an administrator: az rest --method POST "
            f"--url https://graph.microsoft.com/v1.0/roleManagement/directory/roleAssignments --body '{body}'",
            id="azure.graph_permission",
        )
    if clients.target.settings.azure.auth == "managed_identity":
        # It has no app registration that permissions could be added to: Graph's app roles are assigned to it directly.
        return MissingError(
            f"{who.name} lacks the Graph permission {', '.join(permissions)}",
            remedy=f"by an administrator, with the object id of Microsoft Graph's service principal: "
            f"G=$(az ad sp show --id {_GRAPH} --query id -o tsv); "
            + "; ".join(
                f"az rest --method POST --url 'https://graph.microsoft.com/v1.0/servicePrincipals/{who.object_id}/appRoleAssignments' "
                f'--body \'{{"principalId":"{who.object_id}","resourceId":"\'$G\'","appRoleId":"{ids[name]}"}}\''
                for name in permissions
            ),
            id="azure.graph_permission",
        )
    return MissingError(
        f"{who.name} lacks the Graph permission {', '.join(permissions)}",
        remedy=_permit(who.name, [ids[name] for name in permissions]),
        id="azure.graph_permission",
    )


def resources(clients: Clients) -> str:
    """Whether ARM lets us build and assign roles, at the group or, while there is none, at the subscription.

    Raises:
        MissingError: it does not.
        Forbidden: we may not even ask.
    """
    azure, scope = clients.azure, _deployment_scope(clients)
    try:
        held = azure.arm.permissions(scope)
    except Forbidden as error:
        raise error.said(
            f"what {azure.identity.name} may do at {scope} could not be found out: {error.message}",
            "; ".join(grant(clients, role, scope) for role in _BUILD) + " (both include the right to ask)",
        ) from None
    missing = [role for role, actions in _BUILD.items() if not all(allows(held, action) for action in actions)]
    if missing:
        commands = "; ".join(grant(clients, role, scope) for role in missing)
        raise MissingError(f"{azure.identity.name} lacks {' and '.join(missing)} at {scope}", remedy=commands, id="azure.rights")
    return f"may build and assign roles at {scope}"


def model_access(clients: Clients) -> str:
    """Whether the role may be given at the accounts of the models without a key, and which these are.

    Raises:
        MissingError: an account is not in the subscription, or we may not assign roles at one.
    """
    arm = clients.azure.arm
    try:
        accounts = model_accounts.used(clients)
    except NeverBuilt as error:
        return f"{error.message}; the right to assign roles counts where it is made"
    refused = [one for one in accounts if not arm.may(one.id, _ASSIGN)]
    if refused:
        raise MissingError(
            f"{clients.azure.identity.name} may not assign roles at {', '.join(one.name for one in refused)}, whose models have no key",
            remedy="; ".join(grant(clients, _ADMINISTRATOR, one.id) for one in refused),
            id="azure.rights",
        )
    return f"may assign roles at {', '.join(one.name for one in accounts)}"


def _deployment_scope(clients: Clients) -> str:
    """The group; the subscription while there is none. An identity that may not even see it is judged where it is meant to be."""
    name = lookup.group_name(clients.target)
    try:
        there = clients.azure.arm.group(name) is not None
    except Forbidden:
        there = clients.target.settings.azure.resource_group is not None
    return f"{_subscription(clients)}/resourceGroups/{name}" if there else _subscription(clients)


def purge(clients: Clients) -> str:
    """Whether deleted vaults and services may be purged. Without that right names stay taken for a while: no fault, but to be known."""
    scope = _subscription(clients)
    openai = clients.target.settings.azure.openai is not None
    kinds = [what for what in _PURGE if openai or what != "Azure OpenAI accounts"]
    refused = [what for what in kinds if not may_purge(clients, what)]
    if not refused:
        return f"may purge deleted vaults and services{', and accounts of Azure OpenAI' if openai else ''}"
    return (
        f"may not purge deleted {' and '.join(refused)}: after `genai down` their names stay taken (vaults 7 days, services"
        f"{' and accounts' if openai else ''} 48 hours), and the next `genai up` recovers them or takes other names; to allow it: "
        f"{grant(clients, 'Contributor', scope)}"
    )


def may_purge(clients: Clients, what: Purged) -> bool:
    """Whether deleted ones may be purged: a right at the subscription, which the resource group's rights do not include."""
    return clients.azure.arm.may(_subscription(clients), _PURGE[what])


def quota(clients: Clients) -> str:
    """How many directory objects the callers need."""
    own, made = _own_callers(clients.target), objects(clients.target)
    if made <= _QUOTA:
        return f"{made} directory objects for {own} callers"
    return (
        f"{made} directory objects for {own} callers: an identity without a directory role may own {_QUOTA}, deleted ones included; "
        "name existing applications by client_id, or work as an administrator of applications"
    )


def objects(target: Target) -> int:
    """How many directory objects an environment makes, each an application and its service principal: the API, its callers, those
    `verify` asks with, those that people sign in with and, for models without a key, LiteLLM."""
    own = 1 + _own_callers(target) + len(check_applications.roles(target)) + len(sign_in.tools(target.settings))
    return 2 * (own + bool(target.settings.litellm.keyless))


def directory_size(clients: Clients) -> str:
    """How full the tenant's directory is.

    Raises:
        Forbidden: the identity may not ask.
        MissingError: the environment's objects do not fit any more.
    """
    who = clients.azure.identity
    if who.kind == "User":
        remedy = "sign in with az login, or as somebody with the directory role Directory Readers"
    else:
        remedy = _permit(who.name, [_READ_ORGANIZATION])
    try:
        size = clients.azure.graph.directory_size()
    except Forbidden as error:
        raise error.said(f"how full the directory is could not be found out: {error.message}", remedy) from None
    if size is None:
        raise Forbidden(f"Graph does not tell {who.name} how full the directory is", remedy=remedy, id="azure.directory_size")
    (used, total), more = size, objects(clients.target)
    if used + more <= total:
        return f"the directory has {used} of {total} objects; {more} are needed at most"
    raise MissingError(
        f"the directory has {used} of {total} objects, and {more} may be needed",
        remedy="purge deleted objects that nobody needs (az rest --method DELETE --url "
        "https://graph.microsoft.com/v1.0/directory/deletedItems/ID), or verify a domain in the tenant, which raises its quota",
        id="azure.directory_full",
    )


def _permit(name: str, ids: list[str]) -> str:
    """The commands that give an application app roles of Microsoft Graph."""
    commands = [f"az ad app permission add --id {name} --api {_GRAPH} --api-permissions {id}=Role" for id in ids]
    return f"{'; '.join(commands)}; then, by an administrator: az ad app permission admin-consent --id {name}"


def _own_callers(target: Target) -> int:
    return sum(caller.client_id is None for caller in target.settings.azure.callers.values())


def _subscription(clients: Clients) -> str:
    return f"/subscriptions/{clients.azure.subscription}"


def grant(clients: Clients, role: str, scope: str) -> str:
    """The command that gives the identity in use a role."""
    who = clients.azure.identity
    return (
        f'az role assignment create --role "{role}" --assignee-object-id {who.object_id} '
        f"--assignee-principal-type {who.kind} --scope {scope}"
    )
