"""The part that holds Entra ID, Graph, ARM, Key Vault, the accounts of Azure OpenAI and the gateway."""

from __future__ import annotations

import httpx

from genai_platform.sandbox import ca
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PythonPart


class AzurePart(PythonPart):
    module = "genai_platform.sandbox.azure.server"
    name: str = "azure"
    version: str = "Entra ID, Graph, ARM, Key Vault, API Management 2024-05-01"
    port: str | None = "entra"
    further_ports: tuple[str, ...] = ("arm", "vault", "graph", "gateway", "cognitive")

    def prepare(self, layout: SandboxLayout) -> None:
        from genai_platform.sandbox.azure.state import prepare

        ca.authority(layout)
        prepare(layout)

    def ready(self, layout: SandboxLayout) -> bool:
        try:
            return httpx.get(f"{layout.url('entra', 'https')}/_sandbox/ready", verify=False, timeout=2).status_code == 200  # noqa: S501 - a loopback liveness question
        except httpx.HTTPError:
            return False


PART = AzurePart()
