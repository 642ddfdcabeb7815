"""azure.vault: the Key Vault that the gateway reads callers' keys from."""

from __future__ import annotations

from genai_platform.advice import advice, genai
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import Conflict, Forbidden, Invalid, NotFound, StepError, WaitTimeout
from genai_platform.steps.azure.lookup import AzureStep, candidates, find_vault, group_name
from genai_platform.steps.azure.name_availability import taken
from genai_platform.tools.azure.errors import PurgeProtected
from genai_platform.tools.azure.vaults import Vault
from genai_platform.tools.wait import wait_while

_NOT_OURS = (Invalid, Forbidden, NotFound, Conflict)
"""How a recovery is refused when we may not, or when the deleted vault is not one of this subscription and group."""
_NO_PURGE = (Forbidden, PurgeProtected)
"""How a purge is refused: the deleted vault stays until its retention ends."""
_FREED = 300.0
"""Seconds for which a name that was purged a moment ago may still be taken."""


class VaultStep(AzureStep):
    """Role-based access, soft delete at its minimum, never purge protection."""

    id = "azure.vault"
    needs = ("azure.group",)
    minutes = 0.7
    limit = 900.0
    what = "key vault"

    def look(self) -> Observation:
        found = find_vault(self.clients)
        if found is None:
            return absent("no vault of this environment")
        if not found.role_based:
            return drifted(f"{found.name} uses access policies, not roles")
        return present(f"{found.name} in {found.location}")

    def apply(self, progress: Progress) -> str:
        found = find_vault(self.clients)
        if found is not None:
            made = self._make(found.name, recover=False)
            return f"{made.name} in {made.location}"
        for name in candidates(self.target):
            vault = self._try(name, progress)
            if vault:
                return f"{vault.name} in {vault.location}"
        raise StepError(
            "every name for the vault belongs to a deleted vault that may be neither purged nor recovered",
            remedy=advice("use another environment name, or wait until the names are free: {}", genai("audit")),
            id="azure.vault_names",
        )

    def _try(self, name: str, progress: Progress) -> Vault | None:
        vaults = self.clients.azure.vaults
        gone = vaults.deleted(name)
        if gone:
            progress.say(f"{name} is soft-deleted until {gone.until[:10]}: purging it")
            try:
                vaults.purge(name, gone.location)
            except _NO_PURGE as error:
                progress.say(f"{name} cannot be purged: {_why(error)}")
                return self._recover(name, progress)
            if not self._freed(name, progress):
                progress.say(f"{name} is still taken {_FREED:.0f} s after its purge: taking another name")
                return None
        elif why := vaults.available(name):
            raise taken("vault", name, why)
        progress.say(f"making the vault {name}")
        try:
            return self._make(name, recover=False)
        except Conflict:
            # Soft-deleted, or somebody else's: anyone who may not look at deleted vaults hears it now.
            progress.say(f"{name} cannot be made: another vault, maybe a deleted one, has the name")
            return self._recover(name, progress)

    def _freed(self, name: str, progress: Progress) -> bool:
        """Whether the name of a vault that was purged a moment ago can be had again: that takes some minutes at most."""
        vaults, told = self.clients.azure.vaults, f"{name} was purged: waiting until its name is free"
        try:
            wait_while(lambda: vaults.available(name), progress, lambda _: told, _FREED, interval=5)
        except WaitTimeout:
            return False
        return True

    def _recover(self, name: str, progress: Progress) -> Vault | None:
        progress.say(f"recovering {name}")
        try:
            return self._make(name, recover=True)
        except _NOT_OURS:
            progress.say(f"{name} can be neither purged nor recovered: taking another name")
            return None

    def _make(self, name: str, *, recover: bool) -> Vault:
        location = self.target.settings.azure.location
        return self.clients.azure.vaults.make(group_name(self.target), name, location, self.target.tags, recover=recover)

    def destroy(self, progress: Progress) -> str:
        found = find_vault(self.clients)
        if found is None:
            return "nothing was there"
        vaults = self.clients.azure.vaults
        progress.say(f"deleting the vault {found.name}")
        vaults.delete(group_name(self.target), found.name)
        try:
            vaults.purge(found.name, found.location)
        except _NO_PURGE as error:
            gone = vaults.deleted(found.name)
            until = gone.until[:10] if gone else "Azure frees it"
            return f"removed {found.name}; its name is retained until {until} ({_why(error)})"
        return f"removed and purged {found.name}"


def _why(error: StepError) -> str:
    return "no right to purge" if isinstance(error, Forbidden) else "purge protection, set by a policy of the subscription"
