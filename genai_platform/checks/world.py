"""What checks look at: the platform's addresses, its clients, and this run's own chat. Opened when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from genai_platform.checks.check import Outcome
from genai_platform.checks.run import Run
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.errors import GenaiError, StepError
from genai_platform.render import addresses
from genai_platform.render.outputs import ClusterOutputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets

if TYPE_CHECKING:
    from genai_platform.checks.azure_view import Estate
    from genai_platform.tools.aws import Aws
    from genai_platform.tools.kube import Kube
    from genai_platform.tools.langfuse import Langfuse
    from genai_platform.tools.litellm import Litellm

T = TypeVar("T")


class Doors(Protocol):
    """The doors checks go through; ``steps.doors.Doors`` is one."""

    @property
    def target(self) -> Target: ...

    @property
    def aws(self) -> Aws: ...

    @property
    def kube(self) -> Kube: ...

    def cluster(self) -> ClusterOutputs: ...

    def storage(self) -> StorageOutputs: ...

    def secrets(self) -> PlatformSecrets: ...

    def estate(self) -> Estate: ...


class World:
    """The running platform as the checks see it. What was found once is kept; what failed is tried again."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.settings = doors.target.settings
        self._lock = threading.RLock()
        self._kept: dict[str, Any] = {}
        self.run = Run(self.litellm, self.chat_models)

    @property
    def chat_models(self) -> tuple[str, ...]:
        """The configured models that chat."""
        return tuple(model.name for model in self.settings.litellm.models if model.mode == "chat")

    def secrets(self) -> PlatformSecrets:
        return self._once("secrets", self.doors.secrets)

    def storage(self) -> StorageOutputs:
        return self._once("storage", self.doors.storage)

    def cluster(self) -> ClusterOutputs:
        return self._once("cluster", self.doors.cluster)

    def litellm(self) -> Litellm:
        """LiteLLM through the load balancer, with the master key."""

        def make() -> Litellm:
            from genai_platform.tools import http
            from genai_platform.tools.litellm import Litellm

            return Litellm(http.client(self.doors.target, self._address("litellm")), self.secrets().litellm_master_key)

        return self._once("litellm", make)

    def langfuse(self) -> Langfuse:
        """Langfuse through the load balancer, with the project's key pair."""

        def make() -> Langfuse:
            from genai_platform.tools import http
            from genai_platform.tools.langfuse import Langfuse

            secrets = self.secrets()
            client = http.client(self.doors.target, self._address("langfuse"))
            return Langfuse(client, secrets.langfuse_public_key, secrets.langfuse_secret_key, self.settings.langfuse.chart.line)

        return self._once("langfuse", make)

    def _address(self, name: str) -> str:
        ingress = self.doors.kube.get("networking.k8s.io/v1", "Ingress", name, NAMESPACE)
        build = addresses.litellm_url if name == "litellm" else addresses.langfuse_url
        url = build(self.settings, ingress)
        if url is None:
            raise StepError(
                f"the ingress '{name}' has no address", remedy=f"run: genai up --only {name}.ingress", id="ingress.no_address"
            )  # fmt: skip
        return url

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = make()
            found: T = self._kept[name]
            return found


@dataclass(frozen=True)
class Look:
    """A check made of one function. A failure that brings no advice of its own gets the family's."""

    id: str
    deadline: float
    function: Callable[[], Outcome]

    def look(self) -> Outcome:
        """Look once."""
        try:
            return self.function()
        except GenaiError as error:
            return failed(error.message, error.remedy or self._advice())

    def _advice(self) -> str:
        name = {"litellm": "litellm", "langfuse": "langfuse", "clickhouse": "langfuse"}.get(self.id.partition(".")[0])
        look = "see what runs: genai status"
        return f"{look}; why: genai logs {name}; make it again: genai {name}" if name else look


def passed(evidence: str) -> Outcome:
    return Outcome("pass", evidence)


def failed(evidence: str, hint: str) -> Outcome:
    return Outcome("fail", evidence, hint)


def skipped(reason: str) -> Outcome:
    return Outcome("skip", reason)
