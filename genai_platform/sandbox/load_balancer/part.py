"""The load balancer front as a part of the sandbox."""

from __future__ import annotations

from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PythonPart

READY = "ready"
"""A file in its folder: it is there once the cluster's objects were seen for the first time."""


class LoadBalancer(PythonPart):
    """Reads the real Ingress objects; routes, refuses and encrypts as they say."""

    module = "genai_platform.sandbox.load_balancer.server"
    name = "load-balancer"
    version = "1"
    port = "litellm"
    further_ports = ("langfuse", "models")

    def prepare(self, layout: SandboxLayout) -> None:
        (layout.folder("load-balancer") / READY).unlink(missing_ok=True)

    def ready(self, layout: SandboxLayout) -> bool:
        return (layout.root / "load-balancer" / READY).exists()


PART = LoadBalancer()
