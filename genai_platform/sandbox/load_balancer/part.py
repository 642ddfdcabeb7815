"""The load balancer front as a part of the sandbox."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import Kind

_READY = "ready"


class LoadBalancer:
    """Reads the real Ingress objects; routes, refuses and encrypts as they say."""

    name = "load-balancer"
    kind: Kind = "stand-in"
    version = "1"
    port: str | None = "litellm"
    further_ports = ("langfuse", "models")

    def prepare(self, layout: SandboxLayout) -> None:
        (layout.folder("load-balancer") / _READY).unlink(missing_ok=True)

    def argv(self, layout: SandboxLayout) -> list[str]:
        return [sys.executable, "-m", "genai_platform.sandbox.load_balancer.server", "--layout", str(layout.root)]

    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return {}

    def ready(self, layout: SandboxLayout) -> bool:
        return (layout.root / "load-balancer" / _READY).exists()


PART = LoadBalancer()
