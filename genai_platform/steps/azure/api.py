"""azure.api: the backend, the header it asks for, the API and its closed list of operations."""

from __future__ import annotations

import re

from genai_platform.advice import run_genai
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import StepError
from genai_platform.render import addresses, gateway
from genai_platform.steps.azure import existing_service
from genai_platform.steps.azure.lookup import AzureStep, find_service, need_service, object_name
from genai_platform.steps.clients import Clients
from genai_platform.tools.azure.apim import KEY_HEADER, Service
from genai_platform.tools.wait import wait_for, wait_while

GATEWAY = "gateway"
"""What the named value's name ends with: what the policy proves itself with at the load balancer."""


class ApiStep(AzureStep):
    """Only objects named for this environment are touched; a path that another API has is refused."""

    id = "azure.api"
    needs = ("azure.service", "azure.ingress")
    minutes = 0.5
    limit = 900.0

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self.api, self.backend = object_name(clients.target, "api"), object_name(clients.target, "litellm")
        self.header = object_name(clients.target, GATEWAY)
        self.what = f"API {self.api}"
        self.routes = gateway.routes(clients.target.settings)

    def _url(self) -> str | None:
        return self.clients.address(addresses.GATEWAY) if self.clients.kube.exists() else None

    def look(self) -> Observation:
        service = find_service(self.clients)
        if service is None:
            return absent("there is no API Management service")
        apim = self.clients.azure.apim
        found, backend = apim.api(service, self.api), apim.backend(service, self.backend)
        if found is None and backend is None:
            return absent(f"API {self.api}: not there")
        faults = []
        url = self._url()
        if backend is None or url is None or backend.rstrip("/") != url.rstrip("/"):
            faults.append(f"the backend is {backend or 'missing'}, LiteLLM is at {url or 'no address'}")
        if not self._header_is_set(service):
            faults.append("the load balancer's header is missing or another one")
        if found is None:
            faults.append("the API is missing")
        else:
            if found.path != self.target.settings.azure.apim.path:
                faults.append(f"the path is {found.path}")
            if found.operations != self.routes:
                faults.append("other operations than configured")
            if found.subscription_required or found.key_header != KEY_HEADER:
                faults.append("a subscription key is asked for")
        if faults:
            return drifted(f"{self.api}: {'; '.join(faults)}")
        return present(f"{service.gateway}/{self.target.settings.azure.apim.path}: {len(self.routes)} operations")

    def apply(self, progress: Progress) -> str:
        service = need_service(self.clients)
        url = self._url()
        if url is None:
            text = "the load balancer has no address for API Management yet"
            raise StepError(text, remedy=run_genai("azure --only ingress"), id="azure.no_address")
        apim, path = self.clients.azure.apim, self.target.settings.azure.apim.path
        existing_service.refuse_path(self.clients, service)
        progress.say(f"making the API {self.api}")
        # Without a domain the load balancer's certificate is the tool's own, which API Management cannot know.
        apim.put_backend(service, self.backend, url, verified=self.target.settings.ingress.domain is not None)
        if not self._header_is_set(service):
            self.clients.azure.named_values.begin_with(service, self.header, self.clients.secrets().gateway_header)
            wait_for(lambda: self._header_is_set(service) or None, progress, lambda: f"named value {self.header}: under way", 600, 1)
        apim.put_api(service, self.api, path, url)
        wait_for(lambda: self._there(service, path), progress, lambda: f"API {self.api}: under way", 600, 1)
        self._operations(service, progress)
        return f"{service.gateway}/{path}: {len(self.routes)} operations"

    def _header_is_set(self, service: Service) -> bool:
        """Whether the service keeps the value that the load balancer demands. A secret: kept as a named value, not in the policy."""
        values = self.clients.azure.named_values
        there = values.get(service, self.header) is not None
        return there and values.value(service, self.header) == self.clients.secrets().gateway_header

    def _there(self, service: Service, path: str) -> bool | None:
        found = self.clients.azure.apim.api(service, self.api)
        return True if found and found.path == path else None

    def _operations(self, service: Service, progress: Progress) -> None:
        apim, wanted = self.clients.azure.apim, {operation_id(*route): route for route in self.routes}
        known = apim.operation_ids(service, self.api)
        for id in [id for id, route in known.items() if wanted.get(id) != route]:
            apim.delete_operation(service, self.api, id)
        for id, route in wanted.items():
            progress.check()
            if known.get(id) != route:
                apim.put_operation(service, self.api, id, *route)

    def destroy(self, progress: Progress) -> str:
        service = find_service(self.clients)
        if service is None:
            return "nothing was there"
        apim = self.clients.azure.apim
        apim.delete_api(service, self.api)
        wait_while(lambda: apim.api(service, self.api), progress, lambda _: f"deleting API {self.api}", 600, 1)
        apim.delete_backend(service, self.backend)
        self.clients.azure.named_values.delete(service, self.header)
        return f"removed API {self.api} and its backend"


def operation_id(method: str, template: str) -> str:
    """The identifier of an operation."""
    return re.sub(r"[^a-z0-9]+", "-", f"{method} {template}".lower()).strip("-")
