"""ARM's description of its cloud, which anyone may read: with it ``az cloud register`` learns every other address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.state import AzureState

PATH = "/metadata/endpoints"


def metadata(azure: AzureState, request: Request) -> Response:
    """By api-version: an older document before 2019, then a list of clouds, from 2022 on this cloud alone (azure-cli 2.91)."""
    version = request.query_params.get("api-version", "")
    ports = azure.layout.ports
    arm, entra, graph = (f"https://localhost:{ports[port]}" for port in ("arm", "entra", "graph"))
    authentication = {"loginEndpoint": entra, "audiences": ["https://management.azure.com"], "tenant": "common", "identityProvider": "AAD"}
    if version < "2019":
        return JSONResponse({"galleryEndpoint": arm, "graphEndpoint": graph, "portalEndpoint": arm, "authentication": authentication})
    cloud = {
        "name": "GenaiSandbox",
        "portal": arm,
        "gallery": arm,
        "authentication": authentication,
        "resourceManager": arm,
        "graph": graph,
        "graphAudience": "https://graph.microsoft.com",
        "microsoftGraphResourceId": graph,
        "suffixes": {"keyVaultDns": f"vault.localhost:{ports['vault']}"},
    }
    return JSONResponse(cloud if version >= "2022" else [cloud])
