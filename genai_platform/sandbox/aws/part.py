"""The sandbox's AWS as a part of the sandbox."""

from __future__ import annotations

import contextlib
import urllib.request
from importlib.metadata import version

from genai_platform.sandbox.aws.identity import administrator, control_key
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PythonPart


class Aws(PythonPart):
    """moto, patched, in one process; the data engines are its children."""

    module = "genai_platform.sandbox.aws.server"
    name = "aws"
    port = "aws"
    further_ports: tuple[str, ...] = ("endpoint", "oidc")

    @property
    def version(self) -> str:
        return f"moto {version('moto')}"

    def prepare(self, layout: SandboxLayout) -> None:
        administrator(layout)
        control_key(layout)

    def ready(self, layout: SandboxLayout) -> bool:
        address = f"{layout.url('aws')}/_sandbox/ready"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - http on loopback, always
            return bool(answer.status == 200)
        return False


PART = Aws()
