"""What can be known before anything is made in Azure, asked at the same time. None of it changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from genai_platform.advice import typed
from genai_platform.errors import Forbidden, GenaiError, NeverBuilt
from genai_platform.steps.azure import existing_service, name_availability, resource_providers, rights
from genai_platform.steps.azure.callers import settings as caller_settings
from genai_platform.steps.azure.openai import prerequisites as openai
from genai_platform.steps.clients import Clients
from genai_platform.tools.parallel import gather


@dataclass(frozen=True)
class Answer:
    """One look: what was seen, or the error that says what is wrong."""

    id: str
    text: str
    error: GenaiError | None = None
    unknown: GenaiError | None = None
    """Set where nobody may tell, and a start can do without knowing."""


def looks(clients: Clients) -> Iterator[Answer]:
    """Look at everything that the Azure half needs: who we are, rights, quotas, names, callers."""
    service = existing_service.fit if clients.target.settings.azure.apim.existing else name_availability.service
    yield _answer("azure.callers", lambda: caller_settings.callers(clients.target))
    for id, ask in (
        ("azure.identity", lambda: rights.identity(clients)),
        ("azure.subscription", lambda: f"subscription {clients.azure.arm.confirm()}"),
    ):
        found = _answer(id, ask)
        yield found
        if found.error is not None:
            return  # the rest would say the same again
    questions: dict[str, Callable[[Clients], str]] = {
        "azure.directory": rights.directory,
        "azure.rights": rights.resources,
        "azure.providers": resource_providers.look,
        "azure.purge": rights.purge,
        "azure.quota": rights.quota,
        "azure.directory_size": rights.directory_size,
        "azure.vault_name": name_availability.vault,
        "azure.service_name": service,
    }
    if clients.target.settings.azure.openai:
        questions |= {
            "azure.openai_account": openai.account, "azure.openai_models": openai.models, "azure.openai_capacity": openai.capacity,
        }  # fmt: skip
    if clients.target.settings.litellm.keyless:
        questions["azure.model_access"] = rights.model_access
    yield from gather(list(questions), lambda id: _answer(id, partial(questions[id], clients)))


_ASKED_IN_VAIN = ("azure.directory_size", "azure.openai_models", "azure.openai_capacity")
"""What a start can do without knowing."""


def _answer(id: str, ask: Callable[[], str]) -> Answer:
    try:
        return Answer(id, ask())
    except (Forbidden, NeverBuilt) as error:
        return Answer(id, error.message, unknown=error) if id in _ASKED_IN_VAIN else Answer(id, error.message, error)
    except GenaiError as error:
        return Answer(id, error.message, error)


def refuse(clients: Clients) -> None:
    """Raise what is wrong: all of it at once, as the first of them."""
    errors = [found.error for found in looks(clients) if found.error]
    if len(errors) > 1:
        told = [f"  {error.message}" + (f" -> {typed(error.remedy)}" if error.remedy else "") for error in errors]
        message = "\n".join([f"{len(errors)} problems must be fixed first:", *told])
        raise type(errors[0])(message, remedy="fix these, then run the same command again", id=errors[0].id)
    if errors:
        raise errors[0]
