"""The status of a pod, computed from the states of its containers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genai_platform.sandbox.cluster.agent.events import now
from genai_platform.sandbox.cluster.api import Object
from genai_platform.sandbox.image import Image


@dataclass
class State:
    """One container as the API shows it."""

    spec: Object
    image: Image | None
    init: bool = False
    current: Object = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    identifier: str = ""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        return "running" in self.current

    @property
    def exit_code(self) -> int | None:
        """Of the last run, when it is over and no other run has begun."""
        ended = self.current.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def sidecar(self) -> bool:
        """An init container that keeps running with the others."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    def document(self) -> Object:
        image = self.spec["image"]
        return {
            "name": self.name,
            "image": image,
            "imageID": image if self.identifier else "",
            "containerID": self.identifier,
            "state": self.current,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def restarts(policy: str, code: int) -> bool:
    """Whether a container that exited so is started again."""
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def phase_of(policy: str, init: Sequence[State], main: Sequence[State], *, initialized: bool) -> str:
    if not initialized:
        failed = any(s.exit_code not in (None, 0) for s in init if not s.sidecar)
        return "Failed" if failed and policy == "Never" else "Pending"
    codes = [state.exit_code for state in main]
    over = [code for code in codes if code is not None and not restarts(policy, code)]
    if len(over) == len(main):
        return "Failed" if any(over) else "Succeeded"
    if any(state.running or code is not None or state.last for state, code in zip(main, codes, strict=True)):
        return "Running"
    return "Pending"


def status_of(
    pod: Object, init: Sequence[State], main: Sequence[State], *, initialized: bool, phase: str, address: str, node: str
) -> Object:
    """The whole status, in which unchanged conditions keep the time they changed at."""
    before = pod.get("status") or {}
    over = phase in ("Succeeded", "Failed")
    waiting = [s.name for s in main if not s.ready]
    containers_ready = initialized and not waiting and not over
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    given = {c["type"]: c["status"] for c in before.get("conditions") or ()}
    gates_open = all(given.get(gate) == "True" for gate in gates)
    reason, message = "", ""
    if over:
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
    elif not containers_ready:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(waiting)}]"
    gate_reason = ("ReadinessGatesNotReady", "a readiness gate is not open") if containers_ready and not gates_open else (reason, message)
    pending = "" if initialized or over else "ContainersNotInitialized"
    conditions = [
        _condition(before, "PodReadyToStartContainers", not over, "", ""),
        _condition(before, "Initialized", initialized, pending, "containers with incomplete status" if pending else ""),
        _condition(before, "Ready", containers_ready and gates_open, *gate_reason),
        _condition(before, "ContainersReady", containers_ready, reason, message),
        _condition(before, "PodScheduled", True, "", ""),
    ]
    started = before.get("startTime") or now()
    return {
        "phase": phase,
        "conditions": conditions,
        "hostIP": node,
        "hostIPs": [{"ip": node}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "qosClass": before.get("qosClass") or "Burstable",
        "observedGeneration": pod["metadata"].get("generation", 1),
        "initContainerStatuses": [state.document() for state in init],
        "containerStatuses": [state.document() for state in main],
    }


def _condition(before: Object, kind: str, holds: bool, reason: str, message: str) -> Object:
    status = "True" if holds else "False"
    old = next((c for c in before.get("conditions") or () if c["type"] == kind), None)
    since = old["lastTransitionTime"] if old and old["status"] == status and old.get("lastTransitionTime") else now()
    # None removes what an earlier state said.
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since,
        "reason": "" if holds else reason,
        "message": "" if holds else message,
    }
