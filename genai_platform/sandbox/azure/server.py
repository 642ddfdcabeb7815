"""The Azure stand-ins in one process: Entra ID, Graph, ARM, Key Vault, accounts of Azure OpenAI and the gateway, each on its port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from genai_platform.sandbox import ca
from genai_platform.sandbox.azure import (
    arm_apim,
    arm_call,
    arm_cognitive_accounts,
    arm_cognitive_deployments,
    arm_cognitive_models,
    arm_named_values,
    arm_openai,
    arm_resources,
    arm_roles,
    arm_services,
    arm_vaults,
    entra_directory,
    entra_errors,
    vault,
)
from genai_platform.sandbox.azure.arm import Arm
from genai_platform.sandbox.azure.control_routes import ControlRoutes
from genai_platform.sandbox.azure.entra import Graph
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.gateway.server import Gateway
from genai_platform.sandbox.azure.openai_accounts import Accounts
from genai_platform.sandbox.azure.request_log import Requests
from genai_platform.sandbox.azure.state import AzureState, open_state
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import told_layout

_GROUP = r"/subscriptions/[^/]+/resourcegroups/[^/]+"
_VAULTS = r"/providers/microsoft\.keyvault"
_APIM = r"/providers/microsoft\.apimanagement"
_COGNITIVE = r"/providers/microsoft\.cognitiveservices"
_SUBSCRIPTION = r"/subscriptions/[^/]+"
_ROLES = r".*/providers/microsoft\.authorization"

TYPES = {
    r"/subscriptions(/[^/]+)?": arm_resources.subscriptions,
    rf"{_SUBSCRIPTION}/locations": arm_resources.locations,
    rf"{_SUBSCRIPTION}/resourcegroups(/[^/]+)?": arm_resources.resource_groups,
    rf"{_ROLES}/roleassignments(/[^/]+)?": arm_roles.role_assignments,
    rf"{_ROLES}/permissions": arm_roles.permissions,
    rf"({_GROUP}|{_SUBSCRIPTION})/resources": arm_resources.resources,
    rf"{_SUBSCRIPTION}/providers(/[^/]+(/(un)?register)?)?": arm_resources.providers,
    rf"{_SUBSCRIPTION}{_VAULTS}/deletedmanagedhsms": arm_vaults.deleted_hsms,
    rf"{_ROLES}/roledefinitions(/[^/]+)?": arm_roles.role_definitions,
    arm_openai.ID.lower().replace(".", r"\."): arm_openai.account,
    arm_openai.ID.lower().replace(".", r"\.") + "/deployments(/[^/]+)?": arm_openai.deployments,
    rf"{_GROUP}{_VAULTS}/vaults(/[^/]+)?": arm_vaults.vaults,
    rf"{_SUBSCRIPTION}{_VAULTS}/checknameavailability": arm_vaults.vault_names,
    rf"{_SUBSCRIPTION}{_VAULTS}(/locations/[^/]+)?/deletedvaults(/[^/]+)?(/purge)?": arm_vaults.deleted_vaults,
    rf"({_GROUP}|{_SUBSCRIPTION}){_COGNITIVE}/accounts": arm_cognitive_accounts.accounts,
    rf"{_GROUP}{_COGNITIVE}/accounts/[^/]+": arm_cognitive_accounts.accounts,
    rf"{_GROUP}{_COGNITIVE}/accounts/[^/]+/(listkeys|regeneratekey|models)": arm_cognitive_accounts.actions,
    rf"{_GROUP}{_COGNITIVE}/accounts/[^/]+/deployments(/[^/]+)?": arm_cognitive_deployments.deployments,
    rf"{_SUBSCRIPTION}{_COGNITIVE}/deletedaccounts": arm_cognitive_accounts.deleted_accounts,
    rf"{_SUBSCRIPTION}{_COGNITIVE}/locations/[^/]+/resourcegroups/[^/]+/deletedaccounts/[^/]+": arm_cognitive_accounts.deleted_accounts,
    rf"{_SUBSCRIPTION}{_COGNITIVE}/locations/[^/]+/models": arm_cognitive_models.models,
    rf"{_SUBSCRIPTION}{_COGNITIVE}/locations/[^/]+/usages": arm_cognitive_models.usages,
    rf"{_SUBSCRIPTION}{_COGNITIVE}/checkdomainavailability": arm_cognitive_accounts.domain_availability,
    rf"{_GROUP}{_APIM}/service(/[^/]+)?": arm_services.services,
    rf"{_SUBSCRIPTION}{_APIM}/service": arm_services.every_service,
    rf"{_SUBSCRIPTION}{_APIM}/checknameavailability": arm_services.service_names,
    rf"{_SUBSCRIPTION}{_APIM}(/locations/[^/]+)?/deletedservices(/[^/]+)?": arm_services.deleted_services,
    rf"{_GROUP}{_APIM}/service/[^/]+/namedvalues(/[^/]+){{0,2}}": arm_named_values.named_values,
    rf"{_GROUP}{_APIM}/service/[^/]+/(apis|backends|policies)(/.*)?": arm_apim.entities,
}
"""Resource types the sandbox knows; every other path is refused."""


def applications(azure: AzureState) -> dict[str, ASGIApp]:
    """Port name to application."""
    requests, entra = Requests(), Entra(azure)
    control = ControlRoutes(azure, entra)
    own = [Route("/_sandbox/ready", _ready), Route("/_sandbox/requests", requests.show), *control.routes()]
    watched = {
        "entra": [*own, *entra.routes()],
        "graph": Graph(azure, entra).routes(),
        "arm": Arm(azure, entra, TYPES).routes(),
        "vault": vault.Vault(azure, entra, control.unreachable).routes(),
    }
    refusals = dict.fromkeys((arm_call.Refusal, entra_directory.Fault, entra_errors.Refused, vault.Fault), _refused)
    return {
        **{port: requests.over(port, Starlette(routes=routes, exception_handlers=refusals)) for port, routes in watched.items()},
        "gateway": Starlette(routes=Gateway(azure, entra).routes()),
        "cognitive": Accounts(azure, entra).application(),
    }


async def _ready(request: Request) -> Response:
    return JSONResponse({"ready": True})


async def _refused(request: Request, refusal: Any) -> Response:
    return cast(Response, refusal.answer())


def certificate_names(port: str) -> list[str]:
    """Host names each front answers to."""
    further = {
        "vault": ["vault.localhost", "*.vault.localhost"],
        "gateway": ["azure-api.localhost", "*.azure-api.localhost"],
        "entra": ["login.microsoftonline.com"],
        "cognitive": ["*.openai.localhost", "*.api.cognitive.localhost"],
    }
    return ["localhost", "127.0.0.1", *further.get(port, [])]


async def serve(layout: SandboxLayout) -> None:
    """Serve until SIGTERM or SIGINT."""
    azure = open_state(layout)
    servers = [_server(layout, port, application) for port, application in applications(azure).items()]

    def end() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await _run(servers)
    azure.store.close()


async def _run(servers: Iterable[uvicorn.Server]) -> None:
    # Server.serve would take over the process's signal handlers, once for each server.
    await asyncio.gather(*(server._serve() for server in servers))


def _server(layout: SandboxLayout, port: str, application: ASGIApp) -> uvicorn.Server:
    certificate, key = ca.issue(layout, certificate_names(port))
    configuration = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=layout.ports[port],
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(configuration)


def main() -> None:
    asyncio.run(serve(told_layout()))


if __name__ == "__main__":
    main()
