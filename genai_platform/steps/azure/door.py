"""azure.door: where API Management comes in at the load balancer: the model routes and nothing else, behind a header it sets."""

from __future__ import annotations

from genai_platform.graph.step import Step
from genai_platform.render import gateway
from genai_platform.render.addresses import GATEWAY
from genai_platform.render.manifests import Document
from genai_platform.steps.azure.site import need_service
from genai_platform.steps.doors import Doors
from genai_platform.steps.ingress import ingress_step

ID = "azure.door"


def step(doors: Doors) -> Step:
    """An ingress of its own. Where the service's tier has fixed addresses, nobody else is admitted."""

    def documents() -> list[Document]:
        service = need_service(doors)
        # The other tiers name addresses, too, but share them and may change them.
        named = service.addresses if service.sku in gateway.FIXED_ADDRESS_TIERS else ()
        fixed = [address for address in named if ":" not in address]
        return gateway.ingress(doors.target.settings, doors.secrets(), fixed)

    return ingress_step(doors, ID, ("azure.service", "litellm.ingress"), GATEWAY, documents)
