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
        fixed = [address for address in need_service(doors).addresses if ":" not in address]
        return gateway.ingress(doors.target.settings, doors.secrets(), fixed)

    return ingress_step(doors, ID, ("azure.service", "litellm.ingress"), GATEWAY, documents)
