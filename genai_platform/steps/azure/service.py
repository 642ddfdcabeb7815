"""azure.service: the API Management service, made or an existing one."""

from __future__ import annotations

import time
from typing import Any

from genai_platform.errors import StepError
from genai_platform.graph.step import Finding, Progress
from genai_platform.steps.azure import existing, rights
from genai_platform.steps.azure.names import taken
from genai_platform.steps.azure.site import AzureStep, absent, candidates, drifted, find_service, group_name, need_principal, present
from genai_platform.steps.doors import Doors
from genai_platform.tools.azure.apim import Service
from genai_platform.tools.wait import wait_for

MINUTES = {
    "Consumption": 2.0,
    "Developer": 35.0,
    "Basic": 35.0,
    "Standard": 35.0,
    "Premium": 45.0,
    "BasicV2": 5.0,
    "StandardV2": 6.0,
    "PremiumV2": 10.0,
}
"""Typical minutes until a new service answers."""
_SOFT_DELETED = "ServiceAlreadyExistsInSoftDeletedState"


class ServiceStep(AzureStep):
    """The service. An existing one is used as it is and never removed."""

    id = "azure.service"
    needs = ("azure.group",)
    limit = 5400.0

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        self._apim = doors.target.settings.azure.apim
        self.minutes = 0.1 if self._apim.existing else MINUTES[self._apim.sku]
        self.what = f"API Management service {self._apim.existing or candidates(doors.target)[0]}"

    def look(self) -> Finding:
        found = find_service(self.doors)
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
        found = find_service(self.doors)
        if self._apim.existing:
            if found is None:
                raise StepError(
                    f"there is no API Management service '{self._apim.existing}' in this subscription",
                    remedy="correct azure.apim.existing: az apim list --query '[].name'",
                    id="azure.no_service",
                )
            existing.refuse_tier(self.doors, found)
            need_principal(found)
            return f"{found.name} (existing) at {found.gateway}"
        if found is None or found.sku != self._apim.sku or found.principal is None:
            name = found.name if found else self._free(progress)
            if found is not None:
                self._begin(name)
        else:
            name = found.name
        ready = self._wait(name, progress)
        return f"{ready.name} ({ready.sku}) at {ready.gateway}"

    def _free(self, progress: Progress) -> str:
        """The name under which a service was begun; a soft-deleted one is purged first, or else restored."""
        apim, location = self.doors.azure.apim, self.target.settings.azure.location
        for name in candidates(self.target):
            gone = apim.deleted(name, location)
            if gone:
                progress.say(f"{name} is soft-deleted until {gone.until[:10]}: purging it")
                try:
                    self._purge(name, location, progress)
                except StepError as error:
                    if error.id != "azure.403":
                        raise
                    progress.say(f"no right to purge {name}")
                    if gone.resource_id.split("/")[4:5] == [group_name(self.target)] and self._restored(name, progress):
                        return name
                    progress.say(f"{name} can be neither purged nor restored: taking another name")
                    continue
            why = apim.available(name)
            if why:
                raise taken("service", name, why)
            try:
                self._begin(name)
            except StepError as error:
                # Whoever may not look at deleted services hears it now.
                if _SOFT_DELETED not in error.message:
                    raise
                if not self._restored(name, progress):
                    progress.say(f"{name} can be neither purged nor restored: taking another name")
                    continue
            return name
        raise StepError(
            "every name for the service belongs to a deleted service that may be neither purged nor restored",
            remedy="use another environment name, or wait 48 hours",
            id="azure.service_names",
        )

    def _restored(self, name: str, progress: Progress) -> bool:
        """Restore a soft-deleted service and give it its settings again; False where that is refused."""
        progress.say(f"restoring {name}")
        try:
            self._begin(name, restore=True)
        except StepError as error:
            if error.id not in ("azure.400", "azure.403", "azure.404", "azure.409"):
                raise
            return False
        self._wait(name, progress)
        self._begin(name)
        return True

    def _begin(self, name: str, *, restore: bool = False) -> None:
        azure = self.target.settings.azure
        body: dict[str, Any] = {
            "location": azure.location,
            "tags": self.target.tags,
            "sku": {"name": azure.apim.sku, "capacity": 0 if azure.apim.sku == "Consumption" else 1},
            "identity": {"type": "SystemAssigned"},
            "properties": {"publisherEmail": azure.apim.publisher_email, "publisherName": azure.apim.publisher_name},
        }
        if restore:
            body["properties"]["restore"] = True
        try:
            self.doors.azure.apim.begin(group_name(self.target), name, body)
        except StepError as error:
            if any(word in error.message.lower() for word in ("capacity", "skunotavailable", "not available", "quota")):
                raise StepError(
                    error.message,
                    remedy=f"{azure.apim.sku} cannot be had in {azure.location} now: set azure.location or azure.apim.sku to another one",
                    id="azure.sku_unavailable",
                ) from None
            raise

    def _wait(self, name: str, progress: Progress) -> Service:
        group, began = group_name(self.target), time.monotonic()
        seen: list[Service | None] = [None]

        def look() -> Service | None:
            seen[0] = found = self.doors.azure.apim.service(group, name)
            if found and found.state == "Failed":
                raise StepError(f"Azure could not make {name}", remedy="see its activity log in the portal", id="azure.service_failed")
            return found if found and found.state == "Succeeded" and found.principal else None

        def told() -> str:
            state = seen[0].state if seen[0] else "asked for"
            return f"{name}: {state} for {int(time.monotonic() - began) // 60} min (about {self.minutes:.0f} for {self._apim.sku})"

        return wait_for(look, progress, told, self.limit - 60, self._interval)

    @property
    def _interval(self) -> float:
        return 15.0 if self.target.endpoints.real else 0.5

    def _purge(self, name: str, location: str, progress: Progress) -> None:
        apim = self.doors.azure.apim
        apim.begin_purge(name, location)
        gone = lambda: True if apim.deleted(name, location) is None else None  # noqa: E731
        wait_for(gone, progress, lambda: f"purging {name}", 1800, self._interval)

    def destroy(self, progress: Progress) -> str:
        found = find_service(self.doors)
        if found is None:
            return "nothing was there"
        if self._apim.existing:
            return f"{found.name} existed before and stays"
        apim = self.doors.azure.apim
        apim.begin_delete(found.group, found.name)
        gone = lambda: True if apim.service(found.group, found.name) is None else None  # noqa: E731
        wait_for(gone, progress, lambda: f"deleting {found.name}", self.limit - 60, self._interval)
        if not rights.may_purge(self.doors, "API Management services"):
            return f"removed {found.name}; its name is retained for 48 hours (no right to purge)"
        # It shows among the deleted ones after a moment; only then can it be purged.
        try:
            wait_for(lambda: apim.deleted(found.name, found.location), progress, lambda: f"{found.name}: deleted", 180, self._interval)
            self._purge(found.name, found.location, progress)
        except StepError as error:
            if error.id not in ("azure.403", "wait.timeout"):
                raise
            kept = apim.deleted(found.name, found.location)
            return (
                f"removed {found.name}; its name is retained until {kept.until[:16] if kept else 'Azure frees it'} (it could not be purged)"
            )
        return f"removed and purged {found.name}"
