"""The key of the account: read from Azure where this environment made it, so that nobody has to copy it."""

from __future__ import annotations

from pydantic import SecretStr

from genai_platform.config import azure_openai
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import READY


def variables(clients: Clients) -> frozenset[str]:
    """The variables that nobody needs to set: the account is made by this environment, or was."""
    named = azure_openai.key_variables(clients.target.settings)
    if not named:
        return named
    found = accounts.find(clients)
    return named if found is None or accounts.own(clients.target, found) else frozenset()


def keys(clients: Clients) -> dict[str, SecretStr]:
    """The key by those variables; nothing while the account is not there, or is somebody else's."""
    named = azure_openai.key_variables(clients.target.settings)
    found = accounts.find(clients) if named else None
    if found is None or not accounts.own(clients.target, found) or found.state != READY or found.keyless:
        return {}
    return dict.fromkeys(named, clients.azure.cognitive.key(found.group, found.name))
