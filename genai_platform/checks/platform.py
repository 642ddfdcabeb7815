"""What checks look at: the platform's addresses, its clients, and this run's own chat. Opened when first needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from genai_platform.advice import Advice, Remedy, advice, genai, joined, run_genai
from genai_platform.checks.azure_inventory import Inventory
from genai_platform.checks.chats import Chats
from genai_platform.checks.check import Outcome
from genai_platform.checks.once import Once
from genai_platform.config.models import Model
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.errors import BudgetSpent, GenaiError, NeverBuilt, StepError, Unreachable
from genai_platform.render import addresses
from genai_platform.render.outputs import ClusterOutputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.tools import http
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import Document, Kube
from genai_platform.tools.langfuse import Langfuse
from genai_platform.tools.litellm.client import Litellm


class Clients(Protocol):
    """The clients that checks use; ``steps.clients.Clients`` is one."""

    @property
    def target(self) -> Target: ...

    @property
    def aws(self) -> Aws: ...

    @property
    def kube(self) -> Kube: ...

    def cluster(self) -> ClusterOutputs: ...

    def storage(self) -> StorageOutputs: ...

    def secrets(self) -> PlatformSecrets: ...


_STEPS = {addresses.GATEWAY: "azure.ingress"}
"""Which step makes an ingress, where it is not its application's own ``ingress``."""


class Platform:
    """The running platform as the checks see it. What was found once is kept; what failed is tried again."""

    def __init__(self, clients: Clients, inventory: Callable[[], Inventory]) -> None:
        self.clients = clients
        self.inventory = inventory
        self.settings = clients.target.settings
        self._kept: dict[str, Any] = {}
        self._once = Once(self._kept)
        self.run = Chats(self.litellm, self.chat_models, tuple(self.chat_deployments))

    @property
    def chat_models(self) -> tuple[str, ...]:
        """The configured models that chat."""
        return tuple(self._chat_groups)

    @property
    def _chat_groups(self) -> dict[str, list[Model]]:
        return {name: group for name, group in self.settings.litellm.groups.items() if group[0].mode == "chat"}

    @property
    def chat_deployments(self) -> dict[str, str]:
        """What each chat deployment is asked by, and how it is called in evidence: one of a group is asked past the group."""
        alone = {name: name for name, group in self._chat_groups.items() if len(group) == 1}
        groups = {name: group for name, group in self._chat_groups.items() if len(group) > 1}
        return alone | {self.asked_by(one): f"{name} ({one.upstream} at {one.address})" for name in groups for one in groups[name]}

    @property
    def keyless_chat_deployments(self) -> dict[str, str]:
        """The same of those that are asked without a key."""
        asked = {self.asked_by(one) for one in self.settings.litellm.keyless}
        return {name: text for name, text in self.chat_deployments.items() if name in asked}

    def asked_by(self, model: Model) -> str:
        """What reaches exactly this deployment: its own id in a group, else the model's name."""
        return model.id if len(self.settings.litellm.groups[model.name]) > 1 else model.name

    def secrets(self) -> PlatformSecrets:
        return self._once("secrets", self.clients.secrets)

    def storage(self) -> StorageOutputs:
        return self._once("storage", self.clients.storage)

    def cluster(self) -> ClusterOutputs:
        return self._once("cluster", self.clients.cluster)

    def litellm(self) -> Litellm:
        """LiteLLM through the load balancer, with the master key."""
        return self._once("litellm", lambda: Litellm(self._http("litellm"), self.secrets().litellm_master_key))

    def langfuse(self) -> Langfuse:
        """Langfuse through the load balancer, with the project's key pair."""

        def make() -> Langfuse:
            client, secrets = self._http("langfuse"), self.secrets()
            return Langfuse(client, secrets.langfuse_public_key, secrets.langfuse_secret_key, self.settings.langfuse.chart.line)

        return self._once("langfuse", make)

    def browser(self, name: str) -> httpx.Client:
        """An application through the load balancer, with cookies and no key."""
        return self._once(f"browser {name}", lambda: self._http(name))

    def _http(self, name: str) -> httpx.Client:
        return http.client(self.clients.target, self.address(name))

    def litellm_containers(self) -> frozenset[str]:
        """The containers in which LiteLLM runs now; one that was started again is another."""
        return frozenset(
            f"{pod['metadata']['uid']}/{status['restartCount']}"
            for pod in self.pods_of("Deployment", "litellm")
            for status in (pod.get("status") or {}).get("containerStatuses") or ()
        )

    def litellm_containers_at(self, moment: str) -> frozenset[str]:
        """Those that ran when this was first asked for the moment."""
        return self._once(f"containers at {moment}", self.litellm_containers)

    def pods(self) -> list[Document]:
        """The platform's pods that run and are not about to go."""
        return _alive(self.clients.kube.list("v1", "Pod", NAMESPACE))

    def pods_of(self, kind: str, name: str) -> list[Document]:
        """Those of a workload; none when it does not exist."""
        workload = self.clients.kube.get("apps/v1", kind, name, NAMESPACE)
        return _alive(kube_wait.pods_of(self.clients.kube, workload, NAMESPACE)) if workload else []

    def address(self, name: str) -> str:
        """The public address that an ingress serves. Raises ``StepError`` while it has none."""
        ingress = self.clients.kube.get("networking.k8s.io/v1", "Ingress", name, NAMESPACE)
        remedy = run_genai(f"up --only {_STEPS.get(name, f'{name}.ingress')}")
        if ingress is None:
            raise NeverBuilt(f"the ingress '{name}' has no address: it does not exist", remedy=remedy, id="ingress.absent")
        url = addresses.url(self.settings, name, ingress)
        if url is None:
            raise StepError(f"the ingress '{name}' has no address", remedy=remedy, id="ingress.no_address")
        return url


def _alive(pods: list[Document]) -> list[Document]:
    return [pod for pod in pods if pod.get("status", {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")]


@dataclass(frozen=True)
class FunctionCheck:
    """A check made of one function. A failure that brings no advice of its own gets the family's."""

    id: str
    deadline: float
    function: Callable[[], Outcome]

    def look(self) -> Outcome:
        """Look once. What goes wrong on the way is a failure, too, with what was seen and advice."""
        try:
            return self.function()
        except GenaiError as error:
            hint = error.remedy or (_UNREACHABLE if isinstance(error, Unreachable) else "")
            if isinstance(hint, str) or not hint.commands:
                # Some remedies say what is wrong and name no command of this program.
                hint = joined(hint, self._advice())
            return Outcome("fail", error.message, hint, final=isinstance(error, _FINAL))
        except Exception as error:
            return failed(f"{type(error).__name__}: {error}"[:500], self._advice())

    def _advice(self) -> Advice:
        family = self.id.partition(".")[0]
        look = advice("see what exists: {}", genai("status"))
        pods = _PODS.get(family)
        if pods is None:
            return advice("{}; then run: {}", look, genai(family))
        return advice("{}; why: {}; make it again: {}", look, genai(f"logs {pods}"), genai(pods))


_FINAL = (NeverBuilt, BudgetSpent)
"""Looking again changes nothing: what was never made, and a budget that is spent."""
_UNREACHABLE = advice(
    "your address may have changed since it was admitted, run: {}; or nothing answers behind the load balancer, see: {}",
    genai("up"),
    genai("status"),
)
_PODS = {"litellm": "litellm", "models": "litellm", "langfuse": "langfuse", "clickhouse": "langfuse"}
"""Whose pods tell why a family's checks fail; the command of that name makes them again."""


def passed(evidence: str) -> Outcome:
    return Outcome("pass", evidence)


def failed(evidence: str, hint: Remedy) -> Outcome:
    return Outcome("fail", evidence, hint)


def skipped(reason: str) -> Outcome:
    return Outcome("skip", reason)
