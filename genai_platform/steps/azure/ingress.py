"""azure.ingress: where API Management comes in at the load balancer: the model routes and nothing else, behind a header it sets."""

from __future__ import annotations

from genai_platform.engine.step import Step
from genai_platform.render import gateway
from genai_platform.render.addresses import GATEWAY
from genai_platform.render.manifests import Document
from genai_platform.steps.azure.lookup import need_service
from genai_platform.steps.clients import Clients
from genai_platform.steps.ingress import ingress_step


def step(clients: Clients) -> Step:
    """An ingress of its own. Where the service's tier has fixed addresses, nobody else is admitted."""

    def documents() -> list[Document]:
        service = need_service(clients)
        # The other tiers name addresses, too, but share them and may change them.
        named = service.addresses if service.sku in gateway.FIXED_ADDRESS_TIERS else ()
        fixed = [address for address in named if ":" not in address]
        return gateway.ingress(clients.target.settings, clients.secrets(), fixed)

    return ingress_step(clients, "azure.ingress", ("azure.service", "litellm.ingress"), GATEWAY, documents)
