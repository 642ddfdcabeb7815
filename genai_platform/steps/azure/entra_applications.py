"""This environment's applications in the directory: their names, their marks, and whose they are.

Names of applications are unique in the whole tenant, which several subscriptions may share. So each name has the digest of
the subscription in it, and each application carries the subscription as a tag: one that carries another's is never changed.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from genai_platform.advice import run_genai
from genai_platform.config.target import Target
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.steps.azure.app_roles import disabled, merged
from genai_platform.steps.azure.lookup import digest
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.rest import Body

_SUBSCRIPTION = "genai:subscription"


# -- names and marks ------------------------------------------------------------------------------
def prefix(target: Target) -> str:
    """What the names of all applications of this environment begin with. Dots are in no other part, so no two environments meet."""
    return f"{target.prefix}.{digest(target)}."


def api_name(target: Target) -> str:
    """Unique name of the API's application."""
    return f"{prefix(target)}api"


def models_name(target: Target) -> str:
    """Unique name of the application as which LiteLLM asks models without a key."""
    return f"{prefix(target)}models"


def caller_prefix(target: Target) -> str:
    """What the names of callers' applications begin with."""
    return f"{prefix(target)}caller."


def probe_prefix(target: Target) -> str:
    """What the names of the applications for checks begin with."""
    return f"{prefix(target)}probe."


def role_id(unique_name: str, value: str) -> str:
    """The identifier of an app role: always the same for one application."""
    return str(uuid5(NAMESPACE_URL, f"{unique_name}/{value}"))


def marks(target: Target) -> list[str]:
    """The tags of this environment's applications; Graph shows them at their service principals, too."""
    named = {**target.tags, _SUBSCRIPTION: str(target.settings.azure.subscription_id)}
    return [f"{name}={value}" for name, value in sorted(named.items())]


def marked(target: Target, entry: Body) -> bool:
    """Whether an application carries all marks of this environment."""
    return set(marks(target)) <= set(entry.get("tags") or ())


def foreign(target: Target, entry: Body) -> str | None:
    """The mark with which an application says that it belongs to somebody else; None for one that does not."""
    own = marks(target)
    names = {mark.partition("=")[0] for mark in own}
    others = [str(tag) for tag in entry.get("tags") or () if str(tag).partition("=")[0] in names and tag not in own]
    # The subscription says most about whose it is.
    return next((tag for tag in others if tag.startswith(_SUBSCRIPTION)), next(iter(others), None))


def refuse_foreign(target: Target, entry: Body) -> None:
    """Raises ``StepError`` for an application that belongs to somebody else."""
    other = foreign(target, entry)
    if other is None:
        return
    name = entry.get("uniqueName") or entry.get("displayName")
    raise StepError(
        f"the application {name} ({entry.get('appId')}) belongs to another environment: it carries the tag {other}, "
        f"and azure.subscription_id is {target.settings.azure.subscription_id}",
        remedy=f"use another environment name (--env), or see whose it is: az ad app show --id {entry.get('appId')}",
        id="azure.foreign_application",
    )


# -- what is there --------------------------------------------------------------------------------
def application(clients: Clients, name: str, *, fresh: float = 0.0) -> Body | None:
    """One application of this environment; None when there is none. Raises ``StepError`` for somebody else's of that name.

    Args:
        fresh: seconds to go on asking for one that was made a moment ago and may not show yet.
    """
    found = clients.azure.graph.application(name, fresh=fresh)
    if found is not None:
        refuse_foreign(clients.target, found)
    return found


def applications(clients: Clients, prefix: str) -> list[Body]:
    """The applications whose name begins with ``prefix``, without those that belong to somebody else."""
    return [entry for entry in clients.azure.graph.applications(prefix) if foreign(clients.target, entry) is None]


def deleted(clients: Clients, prefix: str) -> list[Body]:
    """The soft-deleted applications whose name begins with ``prefix``, without those that belonged to somebody else."""
    return [entry for entry in clients.azure.graph.deleted(prefix) if foreign(clients.target, entry) is None]


def deleted_principals(clients: Clients, prefix: str) -> list[Body]:
    """The soft-deleted service principals whose name begins with ``prefix``, without those that belonged to somebody else."""
    return [entry for entry in clients.azure.graph.deleted_principals(prefix) if foreign(clients.target, entry) is None]


def need_api(clients: Clients, patience: float = 0.0) -> Body:
    """The API's application. Raises ``NeverBuilt`` naming the command that makes it.

    Args:
        patience: seconds to go on asking for one that was made a moment ago.
    """
    found = application(clients, api_name(clients.target), fresh=patience)
    if found is None:
        raise NeverBuilt("the API's application is not there yet", remedy=run_genai("azure --only application"), id="azure.no_application")
    return found


def api_client_id(clients: Clients, patience: float = 0.0) -> str:
    """The client id of the API's application, in whose name the one key of shared mode is kept. As ``need_api``."""
    return str(need_api(clients, patience)["appId"]).lower()


def need_principal(clients: Clients, api_client: str, patience: float = 0.0) -> str:
    """The service principal of the API's application. As ``need_api``."""
    found = clients.azure.graph.principal(api_client, fresh=patience)
    if found is None:
        remedy = run_genai("azure --only application")
        raise NeverBuilt("the API's application has no service principal", remedy=remedy, id="azure.no_application")
    return str(found["id"])


def ensure(clients: Clients, name: str, body: Body) -> Body:
    """The application of this name with these properties and this environment's marks, made when missing.

    Raises:
        StepError: there is one, and it belongs to somebody else.
    """
    graph, target = clients.azure.graph, clients.target

    def change(found: Body) -> Body:
        refuse_foreign(target, found)
        # A role or a scope that is enabled can neither go nor change its value.
        if first := disabled(found, body):
            graph.change_application(str(found["id"]), first)
        theirs = [tag for tag in found.get("tags") or () if tag not in marks(target)]
        return {**merged(found, body), "tags": [*marks(target), *theirs]}

    return graph.ensure_application(name, {**body, "tags": marks(target)}, change)
