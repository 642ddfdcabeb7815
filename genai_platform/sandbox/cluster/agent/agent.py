"""The node agent's process: puts its parts together, starts them in order, and ends every container when it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time

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
_log = logging.getLogger(__name__)


class Agent:
    """All parts of the node agent, connected."""

    def __init__(self, layout: SandboxLayout) -> None:
        self.api = Api.connect(layout, ADMIN)
        self.events = Events(self.api, NODE)
        self._account = Account(layout)
        self.claims = Claims(layout, self.api, self.events, self._account)
        self._publish = threading.Event()
        images, registry = Images.gather(), Registry(layout)
        self.pods = Pods(AgentContext(layout, self.api, self.events, images, registry, self.claims, capacity(), self._publish.set))
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
        while True:
            try:
                node = Node(self.api, self._layout.ports["kubelet"], str(self.api.get("/version")["gitVersion"]))
                node.register()
                refuse_streams(self.api)
                break
            except ApiError as error:
                if time.monotonic() > deadline:
                    raise
                _log.info("waiting for the API: %s", error)
                time.sleep(0.2)
        self._layout.publish_hosts("pods", {})
        self.provisioner.make_pools()
        for thread in (node, Machine(self._account, node, self.provisioner), self.events, self.claims, self.scheduler, self.services):
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
        Kubelet(self._layout, self.pods)

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


if __name__ == "__main__":
    main()
