"""azure.policy: the policy that validates the token and replaces it by the caller's own key."""

from __future__ import annotations

import time

from genai_platform.errors import StepError
from genai_platform.graph.step import Finding, Progress
from genai_platform.render.policy import PolicyValues, faults, render_policy, same_policy
from genai_platform.steps.azure import api, existing, shared_key
from genai_platform.steps.azure.directory import need_api
from genai_platform.steps.azure.site import (
    PATIENCE,
    AzureStep,
    absent,
    drifted,
    find_service,
    need_service,
    need_vault,
    object_name,
    present,
)
from genai_platform.steps.doors import Doors

_TRIES = 5


def values(doors: Doors, patience: float = 0.0) -> PolicyValues:
    """What the policy depends on, looked up. Raises ``StepError`` naming the command that makes what is missing.

    Args:
        patience: seconds to go on asking for an application that was made a moment ago.
    """
    target, vault = doors.target, need_vault(doors)
    return PolicyValues(
        environment=target.environment,
        authority=target.endpoints.azure.authority,
        tenant_id=doors.azure.tenant,
        audience=str(need_api(doors, patience)["appId"]),
        vault_name=vault.name,
        vault_url=vault.url,
        backend_id=object_name(target, "litellm"),
        mode=target.settings.azure.apim.keys,
        named_value=object_name(target, shared_key.KIND),
        gateway_value=object_name(target, api.GATEWAY),
    )


class PolicyStep(AzureStep):
    """The policy of the API. Azure returns it reformatted, so its parsed form is compared."""

    id = "azure.policy"
    minutes = 0.3
    limit = 600.0

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        self.api = object_name(doors.target, "api")
        self.what = f"policy of {self.api}"
        # Before all share a key, the application for checks that holds the right role must be gone.
        shared = (shared_key.SharedKeyStep.id, "azure.probes") if doors.target.settings.azure.apim.keys == "shared" else ()
        self.needs = ("azure.api", "azure.access", "azure.application", *shared)

    def look(self) -> Finding:
        service = find_service(self.doors)
        held = self.doors.azure.apim.policy(service, self.api) if service else None
        if held is None:
            return absent(f"{self.what}: not there")
        try:
            same = same_policy(held, render_policy(values(self.doors)))
        except ValueError as error:
            return drifted(f"{self.what} cannot be read: {error}")
        except StepError as error:
            return drifted(f"{self.what}: {error.message}")
        return present(f"{self.what} is as rendered") if same else drifted(f"{self.what} is another one than rendered")

    def files(self) -> dict[str, str]:
        """The policy, for ``genai render``. Raises ``StepError`` while what it depends on is not there."""
        return {"policy.xml": render_policy(values(self.doors))}

    def apply(self, progress: Progress) -> str:
        service, text = need_service(self.doors), render_policy(values(self.doors, PATIENCE))
        wrong = faults(text)
        if wrong:
            raise StepError(f"the policy was not sent: {wrong[0]}", id="azure.policy_faults")
        existing.refuse_global_policy(self.doors, service)
        for attempt in range(_TRIES):
            progress.check()
            try:
                self.doors.azure.apim.put_policy(service, self.api, text)
                break
            except StepError as error:
                # The service reads the authority's configuration while it takes the policy, and that fails at times.
                if attempt == _TRIES - 1 or "openid" not in error.message.lower():
                    raise
                progress.say("the service could not read the authority's configuration: once more")
                time.sleep(5)
        return f"{self.what} set"

    def destroy(self, progress: Progress) -> str:
        service = find_service(self.doors)
        if service is None or self.doors.azure.apim.policy(service, self.api) is None:
            return "nothing was there"
        self.doors.azure.apim.delete_policy(service, self.api)
        return f"removed the {self.what}"
