"""What can be known before anything is made in Azure, asked in order. None of it changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genai_platform.errors import GenaiError
from genai_platform.steps.azure import existing, names, resource_providers, rights, wanted
from genai_platform.steps.doors import Doors


@dataclass(frozen=True)
class Found:
    """One look: what was seen, or the error that says what is wrong."""

    id: str
    text: str
    error: GenaiError | None = None


def looks(doors: Doors) -> Iterator[Found]:
    """Look at everything that the Azure half needs: who we are, rights, quotas, names, callers."""
    service = existing.fit if doors.target.settings.azure.apim.existing else names.service
    questions: list[tuple[str, Callable[[], str]]] = [
        ("azure.callers", lambda: wanted.callers(doors.target)),
        ("azure.identity", lambda: rights.identity(doors)),
        ("azure.subscription", lambda: f"subscription {doors.azure.arm.confirm()}"),
        ("azure.directory", lambda: rights.directory(doors)),
        ("azure.rights", lambda: rights.resources(doors)),
        ("azure.providers", lambda: resource_providers.look(doors)),
        ("azure.purge", lambda: rights.purge(doors)),
        ("azure.quota", lambda: rights.quota(doors)),
        ("azure.vault_name", lambda: names.vault(doors)),
        ("azure.service_name", lambda: service(doors)),
    ]
    for id, ask in questions:
        try:
            yield Found(id, ask())
        except GenaiError as error:
            yield Found(id, error.message, error)
            if id in ("azure.identity", "azure.subscription"):
                return  # the rest would say the same again


def refuse(doors: Doors) -> None:
    """Raise what is wrong: all of it at once, as the first of them."""
    errors = [found.error for found in looks(doors) if found.error]
    if len(errors) > 1:
        told = [f"  {error.message}" + (f" -> {error.remedy}" if error.remedy else "") for error in errors]
        message = "\n".join([f"{len(errors)} things stand in the way:", *told])
        raise type(errors[0])(message, remedy="mend these, then run the same command again", id=errors[0].id)
    if errors:
        raise errors[0]
