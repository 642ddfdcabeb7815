"""The part that holds Entra ID, Graph, ARM, Key Vault and the gateway."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from genai_platform.sandbox import ca
from genai_platform.sandbox.azure.world import prepare
from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place


@dataclass(frozen=True)
class AzurePart:
    name: str = "azure"
    kind: Kind = "stand-in"
    version: str = "Entra ID, Graph, ARM, Key Vault, API Management 2024-05-01"
    port: str | None = "entra"
    further_ports: tuple[str, ...] = ("arm", "vault", "graph", "gateway")

    def prepare(self, place: Place) -> None:
        ca.authority(place)
        prepare(place)

    def argv(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "genai_platform.sandbox.azure.server", "--place", str(place.root)]

    def variables(self, place: Place) -> Mapping[str, str]:
        return {}

    def ready(self, place: Place) -> bool:
        try:
            return httpx.get(f"{place.url('entra', 'https')}/_sandbox/ready", verify=False, timeout=2).status_code == 200  # noqa: S501 - a loopback liveness question
        except httpx.HTTPError:
            return False


PART = AzurePart()
