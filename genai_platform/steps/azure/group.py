"""azure.group: the resource group, and the questions that must be answered before anything is made in Azure."""

from __future__ import annotations

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import StepError, WaitTimeout
from genai_platform.steps.azure import prerequisites, resource_providers
from genai_platform.steps.azure.lookup import AzureStep, group_name, ours
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.rest import Body
from genai_platform.tools.wait import wait_while

_EMPTIED = 180.0
"""Seconds to wait until the group is empty."""


def _leaving(found: Body | None) -> bool:
    """Whether a group is being deleted: until that is done nothing can be made in it."""
    return found is not None and (found.get("properties") or {}).get("provisioningState") == "Deleting"


class GroupStep(AzureStep):
    """The resource group. One that existed before is used and never removed."""

    id = "azure.group"
    needs = ()
    minutes = 0.1
    limit = 900.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.name = group_name(clients.target)
        self.what = f"resource group {self.name}"

    def look(self) -> Observation:
        found = self.clients.azure.arm.group(self.name)
        if found is None:
            return absent(f"resource group {self.name}: not there")
        if _leaving(found):
            return drifted(f"{self.name} is being deleted")
        if missing := resource_providers.missing(self.clients):
            return drifted(f"{self.name}: {' and '.join(missing)} not registered with the subscription")
        made = "made by this tool" if ours(self.target, found.get("tags")) else "existed before, stays"
        return present(f"{self.name} in {found.get('location')} ({made})")

    def apply(self, progress: Progress) -> str:
        progress.say("asking who we are and whether the names are free")
        prerequisites.refuse(self.clients)
        resource_providers.register(self.clients, progress)
        if _leaving(self.clients.azure.arm.group(self.name)):
            self._gone(progress)
        self.clients.azure.arm.make_group(self.name, self.target.settings.azure.location, self.target.tags)
        return f"{self.name} in {self.target.settings.azure.location}"

    def destroy(self, progress: Progress) -> str:
        arm = self.clients.azure.arm
        found = arm.group(self.name)
        if found is None:
            return "nothing was there"
        if not ours(self.target, found.get("tags")):
            return f"{self.name} existed before and stays"
        if not _leaving(found):
            self._emptied(progress)
            arm.delete_group(self.name)
        self._gone(progress)
        return f"removed {self.name}"

    def _gone(self, progress: Progress) -> None:
        wait_while(lambda: self.clients.azure.arm.group(self.name), progress, lambda _: f"deleting {self.name}", 600, interval=5)

    def _emptied(self, progress: Progress) -> None:
        """Wait until nothing is in the group: ARM lists what was deleted a moment ago for minutes. Raises ``StepError``."""
        inside: list[str] = []

        def contents() -> list[str]:
            inside[:] = self.clients.azure.arm.contents(self.name)
            return inside

        limit = _EMPTIED if self.target.endpoints.real else 3.0
        try:
            wait_while(contents, progress, lambda inside: f"{self.name} still holds {', '.join(inside[:5])}", limit, interval=10)
        except WaitTimeout:
            raise StepError(
                f"the resource group {self.name} still holds {', '.join(inside[:5])}",
                remedy="remove what is in it, or keep the group: it costs nothing",
                id="azure.group_in_use",
            ) from None
