"""The image registries as a node meets them: everything is there but what the state says is not.

``registry.json`` in the sandbox's folder lists references (with or without a tag) under ``missing`` and ``denied``. A
registry whose name ends in ``.invalid`` does not exist (RFC 2606). The texts are containerd's, as a kubelet passes them on.
"""

from __future__ import annotations

import json

from genai_platform.sandbox.cluster.images import repository_of
from genai_platform.sandbox.layout import SandboxLayout


class Registry:
    """What can be pulled."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._state = layout.root / "registry.json"

    def fault(self, image: str) -> str | None:
        """Why an image cannot be pulled; ``None`` when it can."""
        lists = json.loads(self._state.read_text()) if self._state.exists() else {}
        head = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        host = image.partition("/")[0]
        if host.partition(":")[0].endswith(".invalid"):
            path = f"https://{host}/v2/{repository_of(image).partition('/')[2]}/manifests/"
            return f'rpc error: code = Unknown desc = {head}failed to do request: Head "{path}": dial tcp: lookup {host}: no such host'
        if {image, repository_of(image)} & set(lists.get("missing", ())):
            return f"rpc error: code = NotFound desc = {head}{image}: not found"
        if {image, repository_of(image)} & set(lists.get("denied", ())):
            denied = "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth"
            return f"rpc error: code = Unknown desc = {head}{denied} credentials"
        return None
