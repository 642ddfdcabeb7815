"""The node agent's process: puts its parts together, starts them in order, and ends every container when it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.agent.aws_account import Account
from genai_platform.sandbox.cluster.agent.claims import Claims
from genai_platform.sandbox.cluster.agent.context import NODE, AgentContext
from genai_platform.sandbox.cluster.agent.ec2_instance import Machine
from genai_platform.sandbox.cluster.agent.events import Events
from genai_platform.sandbox.cluster.agent.kubelet import Kubelet
from genai_platform.sandbox.cluster.agent.node import Node, capacity, labels
from genai_platform.sandbox.cluster.agent.pods import Pods
from genai_platform.sandbox.cluster.agent.provisioner import Provisioner
from genai_platform.sandbox.cluster.agent.refusals import refuse_streams
from genai_platform.sandbox.cluster.agent.scheduler import Scheduler
from genai_platform.sandbox.cluster.agent.services import Services
from genai_platform.sandbox.cluster.api import Api, ApiError, Object
from genai_platform.sandbox.cluster.control_plane import ADMIN
from genai_platform.sandbox.cluster.images import Images
from genai_platform.sandbox.cluster.operator import GROUP, KINDS, Operator
from genai_platform.sandbox.cluster.registry import Registry
from genai_platform.sandbox.cluster.watch import Change, Watch
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import told_layout

_START = 60.0
_PRIVATE = (
    "aws", "azure", "etcd", "kubernetes", "pods", "volumes", "data", "load-balancer", "openai", "logs", "run",
    "ca/ca.key", "ca/issued", "kubeconfig", "kubeconfig.eks",
)  # fmt: skip
"""Of the sandbox's folder: what no container should find, since no container in a cluster could."""
_log = logging.getLogger(__name__)


class Agent:
    """All parts of the node agent, connected."""

    def __init__(self, layout: SandboxLayout) -> None:
        self.api = Api.connect(layout, ADMIN)
        self.events = Events(self.api, NODE)
        self._account = Account(layout)
        self.claims = Claims(layout, self.api, self.events, self._account)
        self._publish = threading.Event()
        self.context = AgentContext(
            layout=layout,
            api=self.api,
            events=self.events,
            images=Images.gather(),
            registry=Registry(layout),
            claims=self.claims,
            capacity=capacity(),
            bundle=ca.bundle(layout),
            path=search_path(),
            visible=visible(layout),
            hidden=[str(layout.root / name) for name in _PRIVATE],
            changed=self._publish.set,
        )
        self.pods = Pods(self.context)
        self.provisioner = Provisioner(self.api, self.events, layout)
        self.scheduler = Scheduler(self.api, self.events, labels(), self.provisioner)
        self.services = Services(layout)
        self.operator = Operator(self.api)
        self._layout = layout
        self._watches: list[Watch] = []

    def start(self) -> None:
        """Register the node and take over every pod that is bound to it.

        Raises:
            ApiError: the API did not answer for a minute.
        """
        deadline = time.monotonic() + _START
        version = ""
        while True:
            try:
                version = str(self.api.get("/version")["gitVersion"])
                node = Node(self.api, self._layout.ports["kubelet"], version)
                node.register()
                refuse_streams(self.api)
                break
            except ApiError as error:
                if time.monotonic() > deadline:
                    raise
                _log.info("waiting for the API: %s", error)
                time.sleep(0.2)
        _touch_hosts(self._layout)
        self.provisioner.make_pools()
        machine = Machine(self._account, node, self.provisioner)
        for thread in (node, machine, self.events, self.claims, self.scheduler, self.services):
            thread.start()
        self.services.services = self._watch("/api/v1/services", self.services.changed)
        self.services.slices = self._watch("/apis/discovery.k8s.io/v1/endpointslices", self.services.changed)
        self._watch("/api/v1/configmaps", self._source_changed)
        self._watch("/api/v1/secrets", self._source_changed)
        self._watch("/apis/storage.k8s.io/v1/storageclasses", lambda change, item: self.scheduler.wake())
        self._watch("/api/v1/persistentvolumes", self.claims.volume_changed)
        self._watch("/api/v1/persistentvolumeclaims", self._claim_changed)
        for watch in self._watches:
            watch.wait(_START)
        # After the waiting: a cluster without these kinds has nothing for it to do.
        for kinds in KINDS.values():
            self._watch(f"/apis/{GROUP}/{kinds}", self.operator.changed)
        pods = self._watch("/api/v1/pods", self._pod_changed)
        pods.wait(_START)
        self.pods.tidy({pod["metadata"]["uid"] for pod in pods.objects()})
        threading.Thread(target=self._keep_published, name="publish", daemon=True).start()
        self._kubelet = Kubelet(self._layout, self.pods)

    def stop(self) -> None:
        """End every container."""
        for watch in self._watches:
            watch.end()
        self.pods.stop()

    def _watch(self, path: str, changed) -> Watch:  # type: ignore[no-untyped-def]
        watch = Watch(self.api, path, changed)
        self._watches.append(watch)
        watch.start()
        return watch

    def _pod_changed(self, change: Change, pod: Object) -> None:
        self.scheduler.changed(change, pod)
        self.pods.changed(change, pod)

    def _source_changed(self, change: Change, item: Object) -> None:
        self.pods.source_changed(item["metadata"]["namespace"], item["metadata"]["name"])

    def _claim_changed(self, change: Change, claim: Object) -> None:
        self.claims.claim_changed(change, claim)
        self.scheduler.wake()
        self.pods.source_changed(claim["metadata"]["namespace"], claim["metadata"]["name"])

    def _keep_published(self) -> None:
        while True:
            self._publish.wait()
            self._publish.clear()
            try:
                self.pods.publish()
            except OSError:
                _log.exception("the list of pods could not be written")
            # Several changes come together: one list for them.
            time.sleep(0.05)


def search_path() -> str:
    """Where containers find programs: this environment's first, then the system's."""
    folders = [str(Path(sys.prefix) / "bin"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return os.pathsep.join(folders)


def visible(layout: SandboxLayout) -> list[str]:
    """What must be there inside a container, read-only, wherever it lies on this machine."""
    import genai_platform
    from genai_platform.programs.cache import cache_folder

    package = str(Path(genai_platform.__file__).resolve().parent)
    return list(dict.fromkeys([sys.base_prefix, package, str(cache_folder()), str(layout.root)]))


def _touch_hosts(layout: SandboxLayout) -> None:
    layout.publish_hosts("pods", {})


def main() -> None:
    """Run until SIGTERM."""
    layout = told_layout()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore", "urllib3", "botocore"):
        logging.getLogger(name).setLevel(logging.ERROR)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    agent = Agent(layout)
    agent.start()
    stop.wait()
    with contextlib.suppress(Exception):
        agent.stop()
    # Threads that wait for the API would hold up a normal exit.
    os._exit(0)
