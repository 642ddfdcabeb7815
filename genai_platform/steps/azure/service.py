"""azure.service: the API Management service, made or an existing one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import Conflict, StepError, WaitTimeout
from genai_platform.steps.azure import existing_service, rights, service_name
from genai_platform.steps.azure.callers.settings import publisher
from genai_platform.steps.azure.lookup import AzureStep, candidates, find_service, group_name, need_principal
from genai_platform.steps.azure.name_availability import refuse_sku
from genai_platform.steps.azure.service_name import INTERVAL
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import FAILED, PASSING, Service, ServiceBusy, SkuUnavailable
from genai_platform.tools.wait import wait_for, wait_while

MINUTES = {"Consumption": 2.0, "Developer": 35.0, "Basic": 35.0, "Standard": 35.0, "Premium": 45.0, "BasicV2": 5.0, "StandardV2": 6.0}
"""Typical minutes until a new service answers."""
_TOMBSTONE = 180.0
"""Seconds until a deleted service shows among the soft-deleted ones."""


class ServiceStep(AzureStep):
    """The service. An existing one is used as it is and never removed."""

    id = "azure.service"
    needs = ("azure.group",)
    limit = 5400.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._apim = clients.target.settings.azure.apim
        self.minutes = 0.1 if self._apim.existing else MINUTES[self._apim.sku]
        self.what = f"API Management service {self._apim.existing or candidates(clients.target)[0]}"

    def look(self) -> Observation:
        found = find_service(self.clients)
        if found is None:
            return absent(f"{self.what}: not there")
        if found.principal is None:
            return drifted(f"{found.name} has no system-assigned identity")
        if found.state != "Succeeded":
            return drifted(f"{found.name}: {found.state}")
        if not self._apim.existing and found.sku != self._apim.sku:
            return drifted(f"{found.name} is {found.sku}, azure.apim.sku says {self._apim.sku}")
        return present(f"{found.name} ({found.sku}) at {found.gateway}")

    def apply(self, progress: Progress) -> str:
        found = find_service(self.clients)
        if self._apim.existing:
            if found is None:
                raise StepError(
                    f"there is no API Management service '{self._apim.existing}' in this subscription",
                    remedy="correct azure.apim.existing: az apim list --query '[].name'",
                    id="azure.no_service",
                )
            existing_service.refuse_tier(self.clients, found)
            need_principal(found)
            return f"{found.name} (existing) at {found.gateway}"
        if found and found.state == "Terminating":
            self._gone(found, progress)
            found = None
        if found and found.state in FAILED:
            self._remove_failed(found, progress)
            found = None
        if found is None:
            name = self._made(progress)
        else:
            name = found.name
            refuse_sku(self.clients, found)
            if found.sku != self._apim.sku or found.principal is None:
                self._when_settled(name, lambda: self._begin(name), progress)
        ready = self._wait(name, progress)
        if ready.state in FAILED:  # once more: capacity and networks of a region recover
            self._remove_failed(ready, progress)
            ready = self._wait(self._made(progress), progress)
        if ready.state in FAILED:
            raise StepError(
                f"Azure could not make {ready.name} twice: its state is {ready.state}",
                remedy=f"see why: az monitor activity-log list --resource-id {ready.id} --status Failed; another azure.apim.sku may help",
                id="azure.service_failed",
            )
        return f"{ready.name} ({ready.sku}) at {ready.gateway}"

    def _made(self, progress: Progress) -> str:
        """The name under which a service was begun, or restored and given its settings again."""
        name, restored = service_name.begun(self.clients, lambda name, restore: self._begin(name, restore=restore), progress)
        if restored and self._wait(name, progress).state not in FAILED:
            self._when_settled(name, lambda: self._begin(name), progress)
        return name

    def _begin(self, name: str, *, restore: bool = False) -> None:
        azure = self.target.settings.azure
        body: dict[str, Any] = {
            "location": azure.location,
            "tags": self.target.tags,
            "sku": {"name": azure.apim.sku, "capacity": 0 if azure.apim.sku == "Consumption" else 1},
            "identity": {"type": "SystemAssigned"},
            "properties": {"publisherEmail": publisher(self.target), "publisherName": azure.apim.publisher_name},
        }
        if restore:
            body["properties"]["restore"] = True
        try:
            self.clients.azure.apim.begin(group_name(self.target), name, body)
        except SkuUnavailable as error:
            raise StepError(
                error.message,
                remedy=f"{azure.apim.sku} cannot be had in {azure.location} now: set azure.location or azure.apim.sku to another one",
                id="azure.sku_unavailable",
            ) from None

    def _wait(self, name: str, progress: Progress) -> Service:
        """The service once it is ready, or has failed."""
        group, began = group_name(self.target), time.monotonic()
        seen: list[Service | None] = [None]

        def look() -> Service | None:
            seen[0] = found = self.clients.azure.apim.service(group, name)
            if found and (found.state in FAILED or (found.state == "Succeeded" and found.principal)):
                return found
            return None

        def told() -> str:
            state = seen[0].state if seen[0] else "asked for"
            return f"{name}: {state} for {int(time.monotonic() - began) // 60} min (about {self.minutes:.0f} for {self._apim.sku})"

        return wait_for(look, progress, told, self.limit - 60, INTERVAL)

    def _when_settled(self, name: str, send: Callable[[], None], progress: Progress) -> None:
        """Send a request that Azure refuses while the service is being made, changed or deleted; again until it takes it."""
        state: list[str] = [""]

        def sent() -> bool | None:
            try:
                send()
            except (ServiceBusy, Conflict) as error:
                found = self.clients.azure.apim.service(group_name(self.target), name)
                state[0] = found.state if found else "gone"
                if isinstance(error, Conflict) and state[0] not in PASSING:
                    raise
                return None
            return True

        wait_for(sent, progress, lambda: f"{name} is {state[0]}: waiting until it can be changed", self.limit - 60, INTERVAL)

    def _gone(self, found: Service, progress: Progress) -> None:
        """Wait until a service that is being deleted is not there any more."""
        apim = self.clients.azure.apim
        wait_while(lambda: apim.service(found.group, found.name), progress, lambda _: f"deleting {found.name}", self.limit - 60, INTERVAL)

    def _deleted(self, found: Service, progress: Progress) -> None:
        """Delete a service and wait until it is not there any more."""
        if found.state != "Terminating":
            self._when_settled(found.name, lambda: self.clients.azure.apim.begin_delete(found.group, found.name), progress)
        self._gone(found, progress)

    def _remove_failed(self, found: Service, progress: Progress) -> None:
        """Nothing can be deployed over a service that failed. It leaves no tombstone as a rule; one that shows is purged with the name."""
        progress.say(f"{found.name} is {found.state}: deleting it, to begin again")
        self._deleted(found, progress)

    def destroy(self, progress: Progress) -> str:
        found = find_service(self.clients)
        if found is None:
            return "nothing was there"
        if self._apim.existing:
            return f"{found.name} existed before and stays"
        apim = self.clients.azure.apim
        self._deleted(found, progress)
        if not rights.may_purge(self.clients, "API Management services"):
            return f"removed {found.name}; its name is retained for 48 hours (no right to purge)"
        if found.state in FAILED and apim.deleted(found.name) is None:
            return f"removed {found.name}"
        # It shows among the deleted ones after a moment; only then can it be purged.
        with contextlib.suppress(WaitTimeout):
            gone = wait_for(lambda: apim.deleted(found.name), progress, lambda: f"{found.name}: deleted", _TOMBSTONE, INTERVAL)
            if service_name.purged(self.clients, gone, progress):
                return f"removed and purged {found.name}"
        kept = apim.deleted(found.name)
        return f"removed {found.name}; its name is retained until {kept.until[:16] if kept else 'Azure frees it'} (it could not be purged)"
