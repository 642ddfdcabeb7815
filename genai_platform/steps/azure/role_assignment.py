"""A role for a principal that was made a moment ago."""

from __future__ import annotations

from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.tools.wait import wait_for


def assign(clients: Clients, scope: str, principal: str, role: str, progress: Progress, what: str) -> None:
    """Assign a role, again until Azure Resource Manager knows the principal: it learns of one from Entra ID some time later.

    Args:
        scope: the resource id at which the role is given.
        principal: the object id of a service principal or a managed identity.
        role: the id of the role's definition.
        what: what is waited for, in words.

    Raises:
        StepError: Azure Resource Manager refuses for another reason, or does not know the principal within five minutes.
    """

    def assigned() -> bool | None:
        try:
            clients.azure.arm.assign(scope, principal, role)
        except StepError as error:
            if error.error_code != "PrincipalNotFound":
                raise
            return None
        return True

    wait_for(assigned, progress, lambda: what, 300)
