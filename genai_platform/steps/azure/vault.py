"""azure.vault: the Key Vault that the gateway reads callers' keys from."""

from __future__ import annotations

from genai_platform.errors import MissingError, StepError
from genai_platform.graph.step import Finding, Progress
from genai_platform.steps.azure.names import taken
from genai_platform.steps.azure.site import AzureStep, absent, candidates, drifted, find_vault, group_name, present
from genai_platform.tools.azure.vaults import Vault

_NOT_OURS = ("azure.400", "azure.403", "azure.404", "azure.409")
"""How a recovery is refused when we may not, or when the deleted vault is not one of this subscription and group."""


class VaultStep(AzureStep):
    """Role-based access, soft delete at its minimum, never purge protection."""

    id = "azure.vault"
    needs = ("azure.group",)
    minutes = 0.7
    limit = 900.0
    what = "key vault"

    def look(self) -> Finding:
        found = find_vault(self.doors)
        if found is None:
            return absent("no vault of this environment")
        if not found.role_based:
            return drifted(f"{found.name} uses access policies, not roles")
        return present(f"{found.name} in {found.location}")

    def apply(self, progress: Progress) -> str:
        found = find_vault(self.doors)
        if found is not None:
            made = self._make(found.name, recover=False)
            return f"{made.name} in {made.location}"
        for name in candidates(self.target):
            vault = self._try(name, progress)
            if vault:
                return f"{vault.name} in {vault.location}"
        raise StepError(
            "every name for the vault belongs to a deleted vault that may be neither purged nor recovered",
            remedy="use another environment name, or wait until the names are free: genai audit",
            id="azure.vault_names",
        )

    def _try(self, name: str, progress: Progress) -> Vault | None:
        vaults, location = self.doors.azure.vaults, self.target.settings.azure.location
        gone = vaults.deleted(name, location)
        if gone:
            progress.say(f"{name} is soft-deleted until {gone.until[:10]}: purging it")
            try:
                vaults.purge(name, location)
            except StepError as error:
                if error.id != "azure.403":
                    raise
                progress.say(f"no right to purge {name}")
                return self._recover(name, progress)
        why = vaults.available(name)
        if why:
            raise taken("vault", name, why)
        progress.say(f"making the vault {name}")
        try:
            return self._make(name, recover=False)
        except StepError as error:
            # Soft-deleted, or somebody else's: whoever may not look at deleted vaults hears it now.
            if error.id != "azure.409":
                raise
        progress.say(f"{name} cannot be made: another vault, maybe a deleted one, has the name")
        return self._recover(name, progress)

    def _recover(self, name: str, progress: Progress) -> Vault | None:
        progress.say(f"recovering {name}")
        try:
            return self._make(name, recover=True)
        except StepError as error:
            if error.id not in _NOT_OURS:
                raise
        progress.say(f"{name} can be neither purged nor recovered: taking another name")
        return None

    def _make(self, name: str, *, recover: bool) -> Vault:
        location = self.target.settings.azure.location
        return self.doors.azure.vaults.make(group_name(self.target), name, location, self.target.tags, recover=recover)

    def destroy(self, progress: Progress) -> str:
        found = find_vault(self.doors)
        if found is None:
            return "nothing was there"
        vaults = self.doors.azure.vaults
        progress.say(f"deleting the vault {found.name}")
        vaults.delete(group_name(self.target), found.name)
        try:
            vaults.purge(found.name, found.location)
        except (StepError, MissingError) as error:
            if error.id != "azure.403":
                raise
            gone = vaults.deleted(found.name, found.location)
            return f"removed {found.name}; its name is retained until {gone.until[:10] if gone else 'Azure frees it'} (no right to purge)"
        return f"removed and purged {found.name}"
