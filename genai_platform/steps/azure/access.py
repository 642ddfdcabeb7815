"""azure.access: who may use the vault: we write secrets, the service's managed identity reads them."""

from __future__ import annotations

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import Forbidden, Unreachable
from genai_platform.steps.azure import role_assignment
from genai_platform.steps.azure.lookup import AzureStep, find_service, find_vault, need_principal, need_service, need_vault
from genai_platform.tools.azure.arm import SECRETS_OFFICER, SECRETS_USER
from genai_platform.tools.wait import wait_accepted

NOT_YET = (Forbidden, Unreachable)
"""What a vault that was made a moment ago answers: its role assignments are not known everywhere, nor is its name."""


class AccessStep(AzureStep):
    """Two role assignments at the vault, waited for: they take effect after minutes."""

    id = "azure.access"
    needs = ("azure.vault", "azure.service")
    minutes = 3.0
    limit = 2400.0
    what = "role assignments at the vault"

    def look(self) -> Observation:
        vault, service = find_vault(self.clients), find_service(self.clients)
        if vault is None:
            return absent("there is no vault")
        arm, who = self.clients.azure.arm, self.clients.azure.identity
        faults = []
        if arm.assignment(vault.id, who.object_id, SECRETS_OFFICER) is None:
            faults.append(f"{who.name} may not write secrets")
        if service is None or service.principal is None or arm.assignment(vault.id, service.principal, SECRETS_USER) is None:
            faults.append("the service's identity may not read secrets")
        if len(faults) == 2:
            return absent(f"{vault.name}: {'; '.join(faults)}")
        if faults:
            return drifted(f"{vault.name}: {faults[0]}")
        return present(f"{vault.name}: {who.name} writes, {service.name if service else ''} reads")

    def apply(self, progress: Progress) -> str:
        vault, service = need_vault(self.clients), need_service(self.clients)
        arm, who = self.clients.azure.arm, self.clients.azure.identity
        principal = need_principal(service)
        arm.assign(vault.id, who.object_id, SECRETS_OFFICER, who.kind)
        what = "waiting until the service's identity is known"
        role_assignment.assign(self.clients, vault.id, principal, SECRETS_USER, progress, what)
        told = "waiting until the role assignments take effect"
        wait_accepted(lambda: self.clients.azure.vaults.secrets(vault), NOT_YET, progress, lambda _: told, self.limit - 60)
        return f"{vault.name}: {who.name} writes, {service.name} reads"

    def destroy(self, progress: Progress) -> str:
        vault = find_vault(self.clients)
        if vault is None:
            return "nothing was there"
        # Ours goes with the vault: until then the callers' keys are removed with it.
        service, arm = find_service(self.clients), self.clients.azure.arm
        held = arm.assignment(vault.id, service.principal, SECRETS_USER) if service and service.principal else None
        if held is None:
            return "nothing was there"
        arm.unassign(str(held["id"]))
        return "removed the service's role assignment"
