"""Binds pending pods to the node, once their claims are ready for it."""

from __future__ import annotations

import logging
import threading

from genai_platform.sandbox.cluster.agent.claims import SELECTED_NODE
from genai_platform.sandbox.cluster.agent.context import NODE
from genai_platform.sandbox.cluster.agent.events import Events, now
from genai_platform.sandbox.cluster.agent.provisioner import Provisioner
from genai_platform.sandbox.cluster.api import STRATEGIC, Api, ApiError, Object, path_of
from genai_platform.sandbox.cluster.watch import Change

_AGAIN = 1.0
_log = logging.getLogger(__name__)


class Scheduler(threading.Thread):
    """One pod after the other; those that cannot be bound are tried again when something changes, and each second."""

    def __init__(self, api: Api, events: Events, labels: dict[str, str], provisioner: Provisioner) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._api, self._events, self._labels, self._provisioner = api, events, labels, provisioner
        self._waiting: dict[str, Object] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def changed(self, change: Change, pod: Object) -> None:
        """A pod changed in the API."""
        with self._lock:
            if change == "gone" or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp") or _gated(pod):
                self._waiting.pop(pod["metadata"]["uid"], None)
                return
            self._waiting[pod["metadata"]["uid"]] = pod
        self._wake.set()

    def wake(self) -> None:
        """Something pods wait for changed."""
        self._wake.set()

    def run(self) -> None:
        while True:
            self._wake.wait(_AGAIN if self._waiting else None)
            self._wake.clear()
            with self._lock:
                pods = list(self._waiting.values())
            for pod in pods:
                try:
                    self._bind(pod)
                except ApiError:
                    pass  # tried again in a second
                except Exception:
                    # One pod that cannot be understood must not keep the others from being placed.
                    _log.exception("pod %s/%s", pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _bind(self, pod: Object) -> None:
        meta = pod["metadata"]
        obstacle = unfit(pod, self._labels) or self._provisioner.obstacle(pod) or self._claims(pod)
        if obstacle:
            self._refuse(pod, obstacle)
        if obstacle != "":
            return
        about, target = {"name": meta["name"], "uid": meta["uid"]}, {"apiVersion": "v1", "kind": "Node", "name": NODE}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": about, "target": target}
        try:
            self._api.create(path_of("pods", meta["namespace"], meta["name"]) + "/binding", body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        else:
            said = f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}"
            self._events.emit(pod, "Scheduled", said, component="default-scheduler")
        with self._lock:
            self._waiting.pop(meta["uid"], None)

    def _claims(self, pod: Object) -> str | None:
        """What prevents binding, "" when nothing does, None while a volume is on its way."""
        namespace = pod["metadata"]["namespace"]
        on_the_way = False
        for volume in pod["spec"].get("volumes") or ():
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
            elif "ephemeral" in volume:
                name = f"{pod['metadata']['name']}-{volume['name']}"
            else:
                continue
            claim = self._api.find(path_of("persistentvolumeclaims", namespace, name))
            if claim is None:
                return f'0/1 nodes are available: persistentvolumeclaim "{name}" not found.'
            if (claim.get("status") or {}).get("phase") == "Bound":
                continue
            annotations = claim["metadata"].get("annotations") or {}
            if SELECTED_NODE not in annotations:
                if not claim["spec"].get("storageClassName"):
                    return "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
                self._api.patch(path_of("persistentvolumeclaims", namespace, name), {"metadata": {"annotations": {SELECTED_NODE: NODE}}})
            on_the_way = True
        return None if on_the_way else ""

    def _refuse(self, pod: Object, obstacle: str) -> None:
        meta = pod["metadata"]
        conditions: list[Object] = (pod.get("status") or {}).get("conditions") or []
        known: Object = next((c for c in conditions if c["type"] == "PodScheduled"), {})
        if known.get("message") == obstacle:
            return
        self._events.emit(pod, "FailedScheduling", obstacle, "Warning", "default-scheduler")
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": obstacle, "lastTransitionTime": now()}
        path = path_of("pods", meta["namespace"], meta["name"]) + "/status"
        answer = self._api.patch(path, {"status": {"conditions": [condition]}}, STRATEGIC)
        with self._lock:
            if meta["uid"] in self._waiting:
                self._waiting[meta["uid"]] = answer


def _gated(pod: Object) -> bool:
    other = pod["spec"].get("schedulerName", "default-scheduler") != "default-scheduler"
    return other or bool(pod["spec"].get("schedulingGates"))


def unfit(pod: Object, labels: dict[str, str]) -> str:
    """Why the pod's selector or required affinity does not admit the node; "" when it does."""
    selector = pod["spec"].get("nodeSelector") or {}
    message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    if any(labels.get(key) != value for key, value in selector.items()):
        return message
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (affinity or {}).get("nodeSelectorTerms") or []
    if terms and not any(all(_matches(rule, labels) for rule in term.get("matchExpressions") or ()) for term in terms):
        return message
    return ""


def _matches(rule: Object, labels: dict[str, str]) -> bool:
    value, operator, values = labels.get(rule["key"]), rule["operator"], rule.get("values") or []
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    if value is None or not value.isdigit():
        return False
    return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
