"""The Node object: registered once, kept alive by a lease, ready as long as the agent runs."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import threading
from datetime import UTC, datetime

from genai_platform.sandbox.cluster.agent.context import NODE, NODE_ADDRESS
from genai_platform.sandbox.cluster.agent.events import now
from genai_platform.sandbox.cluster.api import STRATEGIC, Api, ApiError, Object

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_BEAT = 10.0
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "the sandbox's node agent is ready"),
)
_log = logging.getLogger(__name__)


def labels() -> dict[str, str]:
    """The labels an EKS Auto Mode node has, as far as they are true here."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "kubernetes.io/hostname": NODE,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine,
        "eks.amazonaws.com/compute-type": "auto",
        "eks.amazonaws.com/nodepool": "general-purpose",
        "karpenter.sh/capacity-type": "on-demand",
    }


def capacity() -> dict[str, str]:
    """What this machine has."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "ephemeral-storage": "100Gi", "pods": "110"}


class Node(threading.Thread):
    """Registers the node and renews its lease."""

    def __init__(self, api: Api, port: int, version: str) -> None:
        super().__init__(name="node", daemon=True)
        self._api, self._port, self._version = api, port, version
        self._provider = ""

    def register(self) -> None:
        """Make or renew the Node object and its status.

        Raises:
            ApiError: the API refused it.
        """
        path = f"/api/v1/nodes/{NODE}"
        if self._api.find(path) is None:
            with contextlib.suppress(ApiError):
                self._api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels()}})
        else:
            self._api.patch(path, {"metadata": {"labels": labels()}}, STRATEGIC)
        self._api.patch(path + "/status", {"status": self._status()}, STRATEGIC)

    def belongs_to(self, provider: str) -> None:
        """Say which machine it is. A node cannot move to another: it is registered again then.

        Raises:
            ApiError: the API refused it.
        """
        if provider == self._provider:
            return
        path = f"/api/v1/nodes/{NODE}"
        known = (self._api.get(path)["spec"] or {}).get("providerID")
        if known not in (None, provider):
            self._api.delete(path)
            self.register()
        self._api.patch(path, {"spec": {"providerID": provider}}, STRATEGIC)
        self._provider = provider

    def run(self) -> None:
        pause = threading.Event()
        beats = 0
        while True:
            try:
                self._renew()
                if beats % 6 == 0:
                    self.register()
                beats += 1
            except ApiError as error:
                _log.warning("heartbeat: %s", error)
            except Exception:
                # Without heartbeats every pod would be moved away.
                _log.exception("heartbeat")
            pause.wait(_BEAT)

    def _renew(self) -> None:
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        try:
            self._api.patch(f"{_LEASES}/{NODE}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE}, "spec": spec}
            self._api.create(_LEASES, lease)

    def _status(self) -> Object:
        stamp = now()
        return {
            "capacity": capacity(),
            "allocatable": capacity(),
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": stamp}
                for kind, status, reason, message in _CONDITIONS
            ],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": platform.release(),
                "osImage": "genai sandbox",
                "containerRuntimeVersion": "genai://1",
                "kubeletVersion": self._version,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": labels()["kubernetes.io/arch"],
            },
        }
