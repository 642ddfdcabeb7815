"""What stands in Azure, as the checks ask for it. The world is asked each time."""

from __future__ import annotations

from pydantic import SecretStr

from genai_platform.errors import StepError
from genai_platform.steps.azure import keys, probes
from genai_platform.steps.azure.caller import Client
from genai_platform.steps.azure.callers_seen import Callers, secret_name
from genai_platform.steps.azure.site import need_service, need_vault, object_name
from genai_platform.steps.doors import Doors


class Estate:
    """Made without any input or output."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def caller(self) -> Client | None:
        """The first configured caller with an active key whose client secret is known here; one with budget left, if there is one."""
        for key in sorted(keys.listed(self._doors), key=lambda key: key.spent):
            if key.state == "active":
                client = keys.client(self._doors, key.caller)
                if client.secret is not None:
                    return client
        return None

    def probe(self, name: str) -> Client | None:
        """An application for checks, ``role`` or ``key``; None where there is none."""
        return probes.client(self._doors, name)

    def policy(self) -> str:
        """The API's policy as the service holds it. Raises ``StepError`` when there is none."""
        service = need_service(self._doors)
        found = self._doors.azure.apim.policy(service, object_name(self._doors.target, "api"))
        if found is None:
            raise StepError("the API has no policy", remedy="run: genai azure --only policy", id="azure.no_policy")
        return found

    def stored_key(self, client_id: str) -> SecretStr | None:
        """The virtual key that Key Vault holds for a caller; in shared mode, the one for all."""
        if self._doors.target.settings.azure.apim.keys == "shared":
            client_id = Callers(self._doors).shared_client
        return self._doors.azure.vaults.value(need_vault(self._doors), secret_name(client_id))
