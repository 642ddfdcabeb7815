"""All pods of the node: a worker for each, their addresses, and the list that ``sandbox status`` reads."""

from __future__ import annotations

import ipaddress
import json
import shutil
import threading

from genai_platform.files import write_private
from genai_platform.sandbox.cluster.agent.container import hostname_of
from genai_platform.sandbox.cluster.agent.context import NODE, AgentContext
from genai_platform.sandbox.cluster.agent.pod_worker import Worker
from genai_platform.sandbox.cluster.api import ApiError, Object
from genai_platform.sandbox.cluster.watch import Change

_FIRST = 10


class Addresses:
    """Pod addresses 10.N.x.y, each given again as late as possible."""

    def __init__(self, cidr: str) -> None:
        self._network = ipaddress.ip_network(cidr)
        self._taken: set[str] = set()
        self._next = _FIRST

    def take(self, wanted: str = "") -> str:
        """A free address; ``wanted`` itself when it is free and in the network."""
        if wanted and wanted not in self._taken and ipaddress.ip_address(wanted) in self._network:
            self._taken.add(wanted)
            return wanted
        for _ in range(self._network.num_addresses):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next < self._network.num_addresses - 2 else _FIRST
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise ApiError(0, "no pod address is free")

    def give_back(self, address: str) -> None:
        self._taken.discard(address)


class Pods:
    """Keeps one worker per pod bound to this node."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._addresses = Addresses(context.layout.pod_cidr)
        self._workers: dict[str, Worker] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def changed(self, change: Change, pod: Object) -> None:
        """A pod changed in the API."""
        if pod["spec"].get("nodeName") != NODE:
            return
        uid = pod["metadata"]["uid"]
        with self._lock:
            worker = self._workers.get(uid)
            if change == "gone":
                if worker is not None:
                    worker.gone()
                    del self._workers[uid]
                    self._addresses.give_back(worker.address)
                return
            if worker is None and not self._stopping:
                worker = Worker(self._context, pod, self._addresses.take((pod.get("status") or {}).get("podIP", "")))
                self._workers[uid] = worker
                worker.thread.start()
                return
        if worker is not None:
            worker.update(pod)

    def source_changed(self, namespace: str, name: str) -> None:
        """A config map, secret or claim changed."""
        for worker in self.workers():
            if worker.pod["metadata"]["namespace"] == namespace:
                worker.refresh(name)

    def workers(self) -> list[Worker]:
        with self._lock:
            return list(self._workers.values())

    def find(self, namespace: str, name: str) -> Worker | None:
        return next((worker for worker in self.workers() if worker.name == f"{namespace}/{name}"), None)

    def tidy(self, uids: set[str]) -> None:
        """Remove what pods left behind that went while no agent ran."""
        for folder in self._context.layout.folder("pods").iterdir():
            if folder.is_dir() and folder.name not in uids:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self) -> None:
        """Write the list of containers and the pods' host names."""
        rows, names = [], {}
        for worker in (worker for worker in self.workers() if worker.thread.is_alive()):
            meta = worker.pod["metadata"]
            if not worker.settled:
                names[hostname_of(worker.pod)] = worker.loopback
            for state in (*worker.init, *worker.main):
                process = state.process
                row = {
                    "namespace": meta["namespace"],
                    "pod": meta["name"],
                    "container": state.name,
                    "image": state.spec["image"],
                    "kind": state.image.kind if state.image else "simulated",
                    "version": state.image.version if state.image else "",
                    "pid": process.pid if process else None,
                    "port": next((port["containerPort"] for port in state.spec.get("ports") or ()), None),
                    "state": next(iter(state.current)),
                }
                rows.append(row)
        self._write_list(rows)
        self._context.layout.publish_hosts("pods", names)

    def stop(self) -> None:
        """End every process; the pods stay as they are in the API."""
        with self._lock:
            self._stopping = True
        workers = self.workers()
        for worker in workers:
            worker.halt()
        for worker in workers:
            worker.thread.join(4.5)
        self._write_list([])

    def _write_list(self, rows: list[Object]) -> None:
        write_private(self._context.layout.root / "pods.json", json.dumps(rows, indent=1))
