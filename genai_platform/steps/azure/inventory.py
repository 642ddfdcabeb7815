"""What exists in Azure, as the checks ask for it. The world is asked each time."""

from __future__ import annotations

from pydantic import SecretStr

from genai_platform.advice import run_genai
from genai_platform.errors import StepError
from genai_platform.render.sign_in import Judged
from genai_platform.render.workload_identity import WorkloadIdentity
from genai_platform.steps.azure import check_applications, entra_applications, model_access
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.callers.observed_keys import secret_name
from genai_platform.steps.azure.lookup import need_service, need_vault, object_name
from genai_platform.steps.azure.sign_in import SignInStep
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.token import Client


class Inventory:
    """Made without any input or output."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def caller(self) -> Client | None:
        """The first configured caller with an active key whose client secret is known here; one with budget left, if there is one."""
        for key in sorted(keys.listed(self._clients), key=lambda key: key.spent):
            if key.state == "active":
                client = keys.client(self._clients, key.caller)
                if client.secret is not None:
                    return client
        return None

    def check_application(self, name: str) -> Client | None:
        """An application for checks, ``role`` or ``key``; None where there is none."""
        return check_applications.client(self._clients, name)

    def model_identity(self) -> WorkloadIdentity | None:
        """As what LiteLLM asks models without a key; None where every model has one. Raises ``NeverBuilt`` while it is not there."""
        return model_access.identity(self._clients)

    def sign_in(self, tool: str) -> Judged:
        """The application with which people sign in to a tool. Raises ``NeverBuilt`` when there is none."""
        return SignInStep(self._clients).judged(tool)

    def policy(self) -> str:
        """The API's policy as the service holds it. Raises ``StepError`` when there is none."""
        service = need_service(self._clients)
        found = self._clients.azure.apim.policy(service, object_name(self._clients.target, "api"))
        if found is None:
            raise StepError("the API has no policy", remedy=run_genai("azure --only policy"), id="azure.no_policy")
        return found

    def stored_key(self, client_id: str) -> SecretStr | None:
        """The virtual key that Key Vault holds for a caller; in shared mode, the one for all."""
        if self._clients.target.settings.azure.apim.keys == "shared":
            client_id = entra_applications.api_client_id(self._clients)
        return self._clients.azure.vaults.value(need_vault(self._clients), secret_name(client_id))
