"""azure.openai: the account of Azure OpenAI and its deployments. One that this environment did not make is used and never changed."""

from __future__ import annotations

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import AlreadyExists, MissingError, NotFound, StepError
from genai_platform.steps.azure import rights
from genai_platform.steps.azure.lookup import AzureStep
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.azure.openai import removal
from genai_platform.steps.azure.openai.refusals import deleted_account, foreign_account, quota_used_up, taken_subdomain
from genai_platform.steps.azure.openai.waits import INTERVAL, LIMIT, accepted
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.cognitive import FAILED, READY, Account, CognitiveAccounts, Deployment, QuotaExceeded
from genai_platform.tools.wait import wait_for, wait_while

_FREED = 600.0
"""Seconds for which the subdomain of an account that was purged a moment ago may still be taken."""


class OpenAiStep(AzureStep):
    """The account and its deployments."""

    id = "azure.openai"
    needs = ("azure.group",)
    limit = LIMIT

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.openai = accounts.wanted(clients.target)
        self.minutes = 1.0 + 0.5 * len(self.openai.deployments)
        self.what = f"Azure OpenAI account {self.openai.name}"

    # -- look -------------------------------------------------------------------------------------
    def look(self) -> Observation:
        found = accounts.find(self.clients)
        if found is None:
            return self._nothing()
        there = self._there()
        if not accounts.own(self.target, found):
            faults = foreign_account(self.openai, found, there)
            return drifted(faults) if faults else present(f"{found.name} exists, is not this environment's, and is used as it is")
        said = [] if found.state == READY else [f"{found.name} is {found.state}"]
        if found.keyless != self.openai.keyless:
            said.append(f"{found.name} {'refuses' if found.keyless else 'takes'} keys")
        said += accounts.other_model(self.openai, there)
        said += [text for _, text in accounts.differences(self.openai, there)]
        if said:
            return drifted("; ".join(said))
        more = accounts.unconfigured(self.openai, there)
        also = f"; {', '.join(more)} in it {'is' if len(more) == 1 else 'are'} not configured and left alone" if more else ""
        return present(f"{found.name} in {found.location} with {', '.join(one.name for one in self.openai.deployments)}{also}")

    def _nothing(self) -> Observation:
        """What is seen without an account: one that was deleted and can be purged is still to be removed."""
        for gone in accounts.deleted(self.clients, self.openai.name):
            if rights.may_purge(self.clients, "Azure OpenAI accounts"):
                return drifted(f"{gone.name} is deleted and not purged")
            return absent(f"{gone.name} is deleted; its name is retained until {gone.until[:16]}")
        return absent(f"{self.what}: not there")

    # -- apply ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        found = accounts.find(self.clients)
        if found is not None and not accounts.own(self.target, found):
            if faults := foreign_account(self.openai, found, self._there()):
                raise MissingError(
                    faults,
                    remedy="deploy there what is missing, as those who own the account do it, or choose another azure.openai.account",
                    id="azure.openai_foreign",
                )
            return f"{found.name} exists and is used as it is"
        if found is None:
            self._make(progress)
        found = self._ready(progress)
        if found.keyless != self.openai.keyless:
            progress.say(f"{found.name}: {'switching keys off' if self.openai.keyless else 'taking keys'}")
            accepted(lambda: self._cognitive.set_keyless(self.openai.group, found.name, self.openai.keyless), progress)
            self._ready(progress)
        self._deploy(progress)
        return f"{found.name} in {found.location} with {', '.join(one.name for one in self.openai.deployments)}"

    def _make(self, progress: Progress) -> None:
        """Begin an account, or bring back the deleted one that this environment made."""
        restore = self._restorable(progress)
        progress.say(f"{'restoring' if restore else 'making'} the account {self.openai.name}")
        openai, tags = self.openai, self.target.tags
        try:
            self._cognitive.begin(openai.group, openai.name, openai.location, tags, keyless=openai.keyless, restore=restore)
        except AlreadyExists as error:
            if error.error_code == "CustomDomainInUse":
                raise taken_subdomain(self.clients, self.openai) from None
            raise deleted_account(self.openai, None) from None
        except NotFound as error:
            raise error.said(
                f"the resource group {openai.group} (azure.openai.resource_group) does not exist",
                "make it, or leave azure.openai.resource_group out: the environment's own is made",
            ) from None

    def _restorable(self, progress: Progress) -> bool:
        """Whether a deleted account of this environment is restored; one elsewhere is purged, since it holds the subdomain.

        Raises ``MissingError`` for one that somebody else deleted.
        """
        openai, told = self.openai, f"{self.openai.name} was purged: waiting until its name is free"
        for gone in self._cognitive.deleted(openai.name):
            here = gone.group.lower() == openai.group.lower()
            if not accounts.own(self.target, gone):
                raise deleted_account(openai, gone)
            if here and gone.location == openai.location:
                return True
            progress.say(f"{gone.name} is deleted in {gone.group}, {gone.location}: purging it")
            self._cognitive.purge(gone)
            wait_while(lambda: self._cognitive.taken(openai.name), progress, lambda _: told, _FREED, INTERVAL)
        return False

    def _ready(self, progress: Progress) -> Account:
        """The account once it can be used. Raises ``StepError`` for one that failed."""
        state = ""

        def look() -> Account | None:
            nonlocal state
            found = accounts.find(self.clients)
            state = found.state if found else "asked for"
            return found if found and found.state in (READY, FAILED) else None

        found = wait_for(look, progress, lambda: f"{self.openai.name}: {state}", self.limit, INTERVAL)
        if found.state == FAILED:
            raise StepError(
                f"Azure could not make the account {found.name}",
                remedy=f"see why: az monitor activity-log list --resource-id {found.id} --status Failed",
                id="azure.openai_failed",
            )
        return found

    def _deploy(self, progress: Progress) -> None:
        """Deploy what is missing or differs, one after another: an account takes one change at a time."""
        there = self._there()
        if others := accounts.other_model(self.openai, there):
            raise StepError(
                f"in {self.openai.name} {'; '.join(others)}: a deployment keeps its model",
                remedy="give the new model a deployment with another name, or remove the old one first: "
                f"az cognitiveservices account deployment delete --name {self.openai.name} --resource-group {self.openai.group} "
                "--deployment-name NAME",
                id="azure.openai_model",
            )
        for one, why in list(accounts.differences(self.openai, there)):
            progress.say(why)
            accepted(lambda one=one: self._send(one), progress)  # type: ignore[misc]
            self._deployed(one, progress)

    def _send(self, one: Deployment) -> None:
        try:
            self._cognitive.deploy(self.openai.group, self.openai.name, one)
        except QuotaExceeded as error:
            raise quota_used_up(self.openai, one, error) from None

    def _deployed(self, one: Deployment, progress: Progress) -> None:
        state = ""

        def look() -> str | None:
            nonlocal state
            state = next((held.state for held in self._there() if held.name.lower() == one.name.lower()), "asked for")
            return state if state in (READY, FAILED) else None

        if wait_for(look, progress, lambda: f"deployment {one.name}: {state}", self.limit, INTERVAL) == FAILED:
            raise StepError(
                f"Azure could not make the deployment {one.name} of {one.model} ({one.sku}, capacity {one.capacity})",
                remedy="run the same command again; another sku or region may have room",
                id="azure.openai_deployment",
            )

    # -- destroy ----------------------------------------------------------------------------------
    def destroy(self, progress: Progress) -> str:
        found = accounts.find(self.clients)
        if found is None:
            gone = accounts.deleted(self.clients, self.openai.name)
            return "; ".join(removal.purge(self.clients, one, progress) for one in gone) or "nothing was there"
        if not accounts.own(self.target, found):
            return f"{found.name} existed before and stays"
        return removal.remove(self.clients, found, progress)

    # -- what these share -------------------------------------------------------------------------
    @property
    def _cognitive(self) -> CognitiveAccounts:
        return self.clients.azure.cognitive

    def _there(self) -> list[Deployment]:
        return self._cognitive.deployments(self.openai.group, self.openai.name)
