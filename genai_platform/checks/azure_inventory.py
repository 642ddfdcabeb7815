"""What checks ask of Azure, and the answers' forms; ``steps.azure.inventory`` gives them."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr

from genai_platform.render.workload_identity import WorkloadIdentity


class Client(Protocol):
    """How a caller signs in; ``steps.azure.caller.Client`` is one."""

    @property
    def caller(self) -> str: ...

    @property
    def tenant_id(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    @property
    def scope(self) -> str: ...

    @property
    def authority(self) -> str: ...

    @property
    def gateway_url(self) -> str: ...

    @property
    def secret(self) -> SecretStr | None: ...


class SignIn(Protocol):
    """The application with which people sign in to a tool; ``steps.azure.sign_in.Judged`` is one."""

    @property
    def client_id(self) -> str: ...

    @property
    def assigned(self) -> int:
        """How many groups and people are configured."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as configured: redirect address, required assignment, client secret, who is assigned."""


class Inventory(Protocol):
    """What exists in Azure, as far as checks ask; ``steps.azure.inventory`` has the implementation."""

    def caller(self) -> Client | None:
        """A caller with a valid key whose client secret is known here; None when no caller has one."""

    def check_application(self, name: str) -> Client | None:
        """An application for checks: ``role`` holds a role that the policy does not accept, ``key`` the right one and no key."""

    def model_identity(self) -> WorkloadIdentity | None:
        """As what LiteLLM asks models without a key; None where every model has one."""

    def sign_in(self, tool: str) -> SignIn:
        """The application of ``litellm`` or ``langfuse``. Raises ``StepError`` when there is none."""

    def policy(self) -> str:
        """The API's policy as the service holds it."""

    def stored_key(self, client_id: str) -> SecretStr | None:
        """The virtual key that Key Vault holds for a caller (shared mode: for everybody)."""
