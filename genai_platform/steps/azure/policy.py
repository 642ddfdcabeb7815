"""azure.policy: the policy that validates the token and replaces it by the caller's own key."""

from __future__ import annotations

import time

import httpx
from pydantic import SecretStr

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import StepError, WaitTimeout
from genai_platform.render.policy import PolicyValues, faults, render_policy, revision, same_policy
from genai_platform.steps.azure import api, check_applications, existing_service, shared_key
from genai_platform.steps.azure.entra_applications import need_api
from genai_platform.steps.azure.lookup import PATIENCE, AzureStep, find_service, need_service, need_vault, object_name
from genai_platform.steps.clients import Clients
from genai_platform.tools import http
from genai_platform.tools.azure import token
from genai_platform.tools.azure.apim import AuthorityUnreadable
from genai_platform.tools.wait import wait_for

_TRIES = 5
_EFFECTIVE = 300.0
"""Seconds; a change reaches the gateways after some, a role assignment of the service after some minutes at most."""
_INTERVAL = 1.0


def values(clients: Clients, patience: float = 0.0) -> PolicyValues:
    """What the policy depends on, looked up. Raises ``StepError`` naming the command that makes what is missing.

    Args:
        patience: seconds to go on asking for an application that was made a moment ago.
    """
    target, vault = clients.target, need_vault(clients)
    return PolicyValues(
        environment=target.environment,
        authority=target.endpoints.azure.authority,
        tenant_id=clients.azure.tenant,
        audience=str(need_api(clients, patience)["appId"]),
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
    limit = 1200.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.api = object_name(clients.target, "api")
        self.what = f"policy of {self.api}"
        # Before all share a key, the application for checks that holds the right role must be gone; with keys of their own it
        # shows that the gateway may read the vault.
        shared = (shared_key.SharedKeyStep.id,) if clients.target.settings.azure.apim.keys == "shared" else ()
        self.needs = ("azure.api", "azure.access", "azure.application", "azure.check_applications", *shared)

    def look(self) -> Observation:
        service = find_service(self.clients)
        held = self.clients.azure.apim.policy(service, self.api) if service else None
        if held is None:
            return absent(f"{self.what}: not there")
        try:
            same = same_policy(held, render_policy(values(self.clients)))
        except ValueError as error:
            return drifted(f"{self.what} cannot be read: {error}")
        except StepError as error:
            return drifted(f"{self.what}: {error.message}")
        return present(f"{self.what} is as rendered") if same else drifted(f"{self.what} is another one than rendered")

    def files(self) -> dict[str, str]:
        """The policy, for ``genai render``. Raises ``StepError`` while what it depends on is not there."""
        return {"policy.xml": render_policy(values(self.clients))}

    def apply(self, progress: Progress) -> str:
        service, text = need_service(self.clients), render_policy(values(self.clients, PATIENCE))
        wrong = faults(text)
        if wrong:
            raise StepError(f"the policy was not sent: {wrong[0]}", id="azure.policy_faults")
        existing_service.refuse_global_policy(self.clients, service)
        for attempt in range(_TRIES):
            progress.check()
            try:
                self.clients.azure.apim.put_policy(service, self.api, text)
                break
            except AuthorityUnreadable:
                if attempt == _TRIES - 1:
                    raise
                progress.say("the service could not read the authority's configuration: once more")
                time.sleep(5)
        return f"{self.what} set, {self._served(f'{service.gateway}/{self.target.settings.azure.apim.path}', revision(text), progress)}"

    def _served(self, url: str, wanted: str, progress: Progress) -> str:
        """Wait until the gateway serves the policy: the service takes it at once, its gateways have it seconds later.

        Raises:
            StepError: they do not have it after ``_EFFECTIVE`` seconds.
        """
        client, last = http.client(self.target, url, timeout=15), "nothing was asked yet"

        def ask(bearer: SecretStr | None = None) -> httpx.Response | None:
            """What the cheapest model route answers; None when nothing does."""
            nonlocal last
            try:
                answer = client.get("/v1/models", headers={"Authorization": f"Bearer {bearer.get_secret_value()}"} if bearer else {})
            except httpx.HTTPError as error:
                last = f"it cannot be reached: {type(error).__name__}"
                return None
            last = f"it answers {answer.status_code}"
            return answer

        def new() -> bool | None:
            answer = ask()
            return True if answer is not None and answer.status_code == 401 and wanted in answer.text else None

        try:
            wait_for(new, progress, lambda: f"waiting for the gateway to serve the new policy; {last}", _EFFECTIVE, _INTERVAL)
        except WaitTimeout:
            # Somebody else's service may let nobody in from here, or answer before it asks us.
            if self.target.settings.azure.apim.existing is None:
                raise
            return f"not seen at the gateway from here: {last}"
        bearer = self._without_key()
        if bearer is not None:
            # Its 403 comes from the vault's answer; until the service may read there, everybody gets 503.
            def reads() -> bool | None:
                answer = ask(bearer)
                return None if answer is None or answer.status_code in (404, 503) else True

            wait_for(reads, progress, lambda: f"waiting until the gateway may read the vault; {last}", _EFFECTIVE, _INTERVAL)
        return "served by the gateway"

    def _without_key(self) -> SecretStr | None:
        """A token of the application for checks that has the right role and no key; None where there is none."""
        found = None if self.target.settings.azure.apim.keys == "shared" else check_applications.client(self.clients, "key")
        if found is None or found.secret is None:
            return None
        return token.fetch(self.target, found.tenant_id, found.client_id, found.secret, found.scope)

    def destroy(self, progress: Progress) -> str:
        service = find_service(self.clients)
        if service is None or self.clients.azure.apim.policy(service, self.api) is None:
            return "nothing was there"
        self.clients.azure.apim.delete_policy(service, self.api)
        return f"removed the {self.what}"
