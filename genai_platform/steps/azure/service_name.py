"""The name of the API Management service: what a deleted service still holds is purged, else restored, else left for another name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from genai_platform.engine.step import Progress
from genai_platform.errors import Conflict, Forbidden, Invalid, NotFound, StepError, WaitTimeout
from genai_platform.steps.azure.lookup import candidates, group_name
from genai_platform.steps.azure.name_availability import taken
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.vaults import SoftDeleted
from genai_platform.tools.wait import wait_for, wait_while

FREED = 300.0
"""Seconds for which a name that was purged a moment ago may still be taken."""
RESTORABLE = 120.0
"""Seconds for which a restore may be refused after the deletion (azure-rest-api-specs #25262: about one minute)."""
_PURGED = 1800.0
INTERVAL = 15.0
"""Seconds between two looks at a service that takes minutes."""
_SOFT_DELETED = "ServiceAlreadyExistsInSoftDeletedState"
_SETTLES = (Invalid, NotFound, Conflict)
"""How a restore is refused while the deletion still settles, and also when the deleted service is not one that we can restore."""
Begin = Callable[[str, bool], None]
"""Begins to make a service of this name, or with True to restore it."""


def begun(clients: Clients, begin: Begin, progress: Progress) -> tuple[str, bool]:
    """Begin to make the service under the first name that can be had; the name, and whether an older service was restored.

    Raises:
        MissingError: somebody else has the name.
        StepError: no name can be had, or Azure refused.
    """
    location = clients.target.settings.azure.location
    for name in candidates(clients.target):
        gone = clients.azure.apim.deleted(name)
        freed = False
        if gone:
            progress.say(f"{name} is soft-deleted until {gone.until[:10]}: purging it")
            freed = purged(clients, gone, progress)
            if not freed:
                here = gone.location == location and gone.resource_id.split("/")[4:5] == [group_name(clients.target)]
                if here and restored(name, begin, progress):
                    return name, True
                progress.say(f"{name} can be neither purged nor restored: taking another name")
                continue
        why = _free(clients, name, FREED if freed else 0.0, progress)
        if why and freed:
            progress.say(f"{name} is still taken {FREED:.0f} s after its purge: taking another name")
            continue
        if why:
            raise taken("service", name, why)
        try:
            begin(name, False)
        except StepError as error:
            # Anyone who may not look at deleted services hears it now.
            if error.error_code != _SOFT_DELETED:
                raise
            if not restored(name, begin, progress):
                progress.say(f"{name} can be neither purged nor restored: taking another name")
                continue
            return name, True
        return name, False
    raise StepError(
        "every name for the service belongs to a deleted service that may be neither purged nor restored",
        remedy="use another environment name, or wait 48 hours",
        id="azure.service_names",
    )


def purged(clients: Clients, gone: SoftDeleted, progress: Progress) -> bool:
    """Purge a soft-deleted service and wait until it is gone; False without the right to."""
    apim = clients.azure.apim
    try:
        apim.begin_purge(gone.name, gone.location)
    except Forbidden:
        progress.say(f"no right to purge {gone.name}")
        return False
    wait_while(lambda: apim.deleted(gone.name), progress, lambda _: f"purging {gone.name}", _PURGED, INTERVAL)
    return True


def restored(name: str, begin: Begin, progress: Progress) -> bool:
    """Begin to restore a soft-deleted service; False where that is refused for longer than a deletion takes to settle."""
    progress.say(f"restoring {name}")

    def try_it() -> bool | None:
        try:
            begin(name, True)
        except Forbidden:
            return False
        except _SETTLES as error:
            return False if error.error_code.startswith("ServiceAlreadyExists") else None
        return True

    try:
        return wait_for(try_it, progress, lambda: f"waiting until {name} can be restored", RESTORABLE, INTERVAL)
    except WaitTimeout:
        return False


def _free(clients: Clients, name: str, patience: float, progress: Progress) -> str | None:
    """None once the name is free; else why it is not, after ``patience`` seconds."""
    last: list[str | None] = [None]

    def free() -> bool | None:
        last[0] = clients.azure.apim.available(name)
        return None if last[0] and patience else True

    with contextlib.suppress(WaitTimeout):
        wait_for(free, progress, lambda: f"{name} was purged: waiting until its name is free", patience, INTERVAL)
    return last[0]
