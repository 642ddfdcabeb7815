"""What checks ask of Azure; ``steps.azure.inventory`` answers."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr

from genai_platform.render.sign_in import Judged
from genai_platform.render.workload_identity import WorkloadIdentity
from genai_platform.tools.azure.token import Client


class Inventory(Protocol):
    """What exists in Azure, as far as checks ask."""

    def caller(self) -> Client | None:
        """A caller with a valid key whose client secret is known here; None when no caller has one."""

    def check_application(self, name: str) -> Client | None:
        """An application for checks: ``role`` holds a role that the policy does not accept, ``key`` the right one and no key."""

    def model_identity(self) -> WorkloadIdentity | None:
        """As what LiteLLM asks models without a key; None where every model has one."""

    def sign_in(self, tool: str) -> Judged:
        """The application of ``litellm`` or ``langfuse``. Raises ``StepError`` when there is none."""

    def policy(self) -> str:
        """The API's policy as the service holds it."""

    def stored_key(self, client_id: str) -> SecretStr | None:
        """The virtual key that Key Vault holds for a caller (shared mode: for everybody)."""
