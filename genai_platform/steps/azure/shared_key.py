"""azure.shared_key: with ``azure.apim.keys = "shared"``, the one key that all callers use.

LiteLLM issues it, limited to the model routes; Key Vault keeps it; a named value of API Management reads it from there.
"""

from __future__ import annotations

import time

from genai_platform.advice import run_genai
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import Conflict, Invalid, NotFound, StepError
from genai_platform.steps.azure.callers.observed_keys import QUICK, Keys, observe_keys, secret_name
from genai_platform.steps.azure.callers.settings import everybody
from genai_platform.steps.azure.callers.virtual_key import ensure_key, ensure_user, forget_key, issue, overlap
from genai_platform.steps.azure.entra_applications import api_client_id
from genai_platform.steps.azure.lookup import PATIENCE, AzureStep, find_service, find_vault, need_service, object_name
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import Service
from genai_platform.tools.wait import wait_for

KIND = "shared-key"
"""What the named value's name ends with."""
_NAME = "everybody"
_AGAIN = 30.0
"""Seconds between two orders to read the vault: each begins a long-running operation."""
_NOT_YET = (Invalid, NotFound, Conflict)
"""How the service refuses a named value whose vault it cannot read yet, and one that is still being made."""


class SharedKeyStep(AzureStep):
    """User, key, stored secret and named value."""

    id = "azure.shared_key"
    needs = ("azure.application", "azure.access", "litellm.proxy", "litellm.ingress")
    minutes = 0.3
    limit = 2400.0
    what = "the key that all callers share"

    def look(self) -> Observation:
        return self._compared(None)

    def quick_look(self) -> Observation:
        return self._compared(QUICK)

    def _compared(self, within: float | None) -> Observation:
        service, vault = find_service(self.clients), find_vault(self.clients)
        name = object_name(self.target, KIND)
        value = self.clients.azure.named_values.get(service, name) if service else None
        if vault is None:
            return drifted(f"{name} reads a vault that is not there") if value else absent("there is no vault")
        if not self.clients.kube.exists():
            return drifted("LiteLLM is not there: its keys are missing") if value else absent("no key was issued")
        work, client = observe_keys(self.clients, within), api_client_id(self.clients)
        key, faults = work.current(client), []
        if key is None and value is None:
            return absent("no key was issued")
        if key is None:
            faults.append("the vault holds no valid key")
        elif not work.limits(everybody(self.target)).same(key):
            faults.append("the key has other limits")
        if value is None or value.secret_identifier != _identifier(work, client):
            faults.append(f"the named value {name} is missing or reads another secret")
        elif value.status != "Success":
            faults.append(f"{name}: reading the vault ended with {value.status or 'nothing yet'}")
        return drifted("; ".join(faults)) if faults else present(f"{key.alias if key else ''} through the named value {name}")

    def apply(self, progress: Progress) -> str:
        service, client, work = need_service(self.clients), api_client_id(self.clients, PATIENCE), observe_keys(self.clients)
        work.need()
        caller = everybody(self.target)
        ensure_user(work, _NAME, caller, client)
        ensure_key(work, _NAME, caller, client, progress)
        name = object_name(self.target, KIND)
        self._connect(service, name, _identifier(work, client), progress)
        return f"{self.what}, through the named value {name}"

    def _connect(self, service: Service, name: str, identifier: str, progress: Progress) -> None:
        """The service reads the vault while it takes the named value: its right to do so, and the vault's name, may be a moment old.

        Until both are known, it refuses the named value at once, or takes it and says afterwards that it could not be read.
        """
        values, again = self.clients.azure.named_values, _AGAIN if self.target.endpoints.real else 1.0
        asked, last = -again, ""

        def read() -> bool | None:
            nonlocal asked, last
            try:
                found = values.get(service, name)
                ours = found is not None and found.secret_identifier == identifier
                if found and ours and found.status == "Success":
                    return True
                if found and ours and found.status:
                    last = found.status
                if (found is None or not ours or found.status) and time.monotonic() - asked >= again:
                    asked = time.monotonic()
                    values.begin_from_vault(service, name, identifier)
            except _NOT_YET as error:
                last = error.message
            return None

        def told() -> str:
            return f"waiting until {service.name} has read {name} from the vault" + (f"; last answer: {last}" if last else "")

        wait_for(read, progress, told, self.limit - 60, 2)

    def destroy(self, progress: Progress) -> str:
        service, name = find_service(self.clients), object_name(self.target, KIND)
        if service is not None:
            self.clients.azure.named_values.delete(service, name)
        if find_vault(self.clients) is None or not self.clients.kube.exists():
            return f"removed the named value {name}"
        forget_key(observe_keys(self.clients), api_client_id(self.clients))
        return f"removed the named value {name} and its key"


def rotate(clients: Clients, progress: Progress) -> tuple[str, int]:
    """Replace the key for everybody: the old key's alias, and how many seconds it still works."""
    service, client, work = need_service(clients), api_client_id(clients), observe_keys(clients)
    old = work.current(client)
    if old is None:
        raise StepError("there is no shared key to rotate", remedy=run_genai("azure --only shared_key"), id="keys.missing")
    progress.say("issuing a new key for all callers")
    issue(work, _NAME, everybody(clients.target), client, progress)
    # Only after the service was told to read the new one may the old one end.
    clients.azure.named_values.refresh(service, object_name(clients.target, KIND))
    seconds = overlap(old)
    work.litellm.expire(old.hash, seconds)
    return old.alias, seconds


def _identifier(work: Keys, client: str) -> str:
    return f"{work.vault.url}/secrets/{secret_name(client)}"
