"""What every part of the agent shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from genai_platform.sandbox.cluster.agent.claims import Claims
from genai_platform.sandbox.cluster.agent.environment import Source
from genai_platform.sandbox.cluster.agent.events import Events
from genai_platform.sandbox.cluster.api import Api, Object, path_of
from genai_platform.sandbox.cluster.images import Images
from genai_platform.sandbox.cluster.registry import Registry
from genai_platform.sandbox.layout import SandboxLayout

NODE = "sandbox-node"
NODE_ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class AgentContext:
    """What every part of the agent shares."""

    layout: SandboxLayout
    api: Api
    events: Events
    images: Images
    registry: Registry
    claims: Claims
    capacity: Mapping[str, str]
    """cpu and memory of the node."""
    changed: Callable[[], None]
    """Called when a container's state or address changed."""

    def lookup(self, namespace: str) -> Callable[[Source, str], Object | None]:
        return lambda source, name: self.api.find(path_of(source, namespace, name))

    def token(self, pod: Object, audience: str, seconds: int) -> str:
        """A service account token bound to the pod."""
        meta = pod["metadata"]
        spec = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": max(seconds, 600),
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
        }
        account = pod["spec"].get("serviceAccountName") or "default"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.api.create(path_of("serviceaccounts", meta["namespace"], account) + "/token", body)
        return str(answer["status"]["token"])
