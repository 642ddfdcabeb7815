"""Whether the tenant's directory has room for the objects that this environment makes."""

from __future__ import annotations

from genai_platform.errors import Forbidden, MissingError
from genai_platform.steps.azure import rights
from genai_platform.steps.clients import Clients

_READ_ORGANIZATION = "498476ce-e0fe-48b0-b801-37ba7e2685c6"
"""Microsoft Graph's app role Organization.Read.All (Microsoft Graph permissions reference)."""


def look(clients: Clients) -> str:
    """How full the directory is.

    Raises:
        Forbidden: the identity may not ask.
        MissingError: the environment's objects do not fit any more.
    """
    who = clients.azure.identity
    try:
        size = clients.azure.graph.directory_size()
    except Forbidden as error:
        raise error.said(f"how full the directory is could not be found out: {error.message}", _grant(clients)) from None
    if size is None:
        raise Forbidden(f"Graph does not tell {who.name} how full the directory is", remedy=_grant(clients), id="azure.directory_size")
    used, total = size
    more = rights.objects(clients.target)
    if used + more <= total:
        return f"the directory has {used} of {total} objects; {more} are needed at most"
    raise MissingError(
        f"the directory has {used} of {total} objects, and {more} may be needed",
        remedy="purge deleted objects that nobody needs (az rest --method DELETE --url "
        "https://graph.microsoft.com/v1.0/directory/deletedItems/ID), or verify a domain in the tenant, which raises its quota",
        id="azure.directory_full",
    )


def _grant(clients: Clients) -> str:
    who = clients.azure.identity
    if who.kind == "User":
        return "sign in with az login, or as somebody with the directory role Directory Readers"
    return (
        f"az ad app permission add --id {who.name} --api {rights.GRAPH} --api-permissions {_READ_ORGANIZATION}=Role; "
        f"then, by an administrator: az ad app permission admin-consent --id {who.name}"
    )
