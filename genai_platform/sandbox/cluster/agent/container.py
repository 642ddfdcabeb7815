"""One container of a running pod: its state, its process, its probes and its pauses between restarts."""

from __future__ import annotations

import ipaddress
import os
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import genai_platform
from genai_platform.programs.cache import cache_folder
from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.agent.context import AgentContext
from genai_platform.sandbox.cluster.agent.environment import expand
from genai_platform.sandbox.cluster.agent.events import now
from genai_platform.sandbox.cluster.agent.probes import Prober
from genai_platform.sandbox.cluster.agent.process import Command, Log, Mount, Process
from genai_platform.sandbox.cluster.agent.status import State
from genai_platform.sandbox.cluster.api import Object
from genai_platform.sandbox.image import Container, Image

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
_LONG_ENOUGH = 60.0
_KEPT_LOGS = 2
_PATH = os.pathsep.join((f"{sys.prefix}/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
"""Where containers find programs: this environment's first, then the system's."""
_PRIVATE = (
    "aws", "azure", "etcd", "kubernetes", "pods", "volumes", "data", "load-balancer", "openai", "logs", "run",
    "ca/ca.key", "ca/issued", "kubeconfig", "kubeconfig.eks",
)  # fmt: skip
"""Of the sandbox's folder: what no container should find, since no container in a cluster could."""


@dataclass
class Running(State):
    """A container's state together with what carries it on this machine."""

    folder: Path = Path()
    process: Process | None = None
    probers: list[Prober] = field(default_factory=list)
    due: float = 0.0
    """When to start it (again), as monotonic time."""
    kill_at: float | None = None
    failures: int = 0
    pulls: int = 0
    """How often its image could not be pulled."""
    since: float = 0.0
    begun: bool = False
    """Whether a run has its log, and has not been followed by a pause."""

    def log_file(self, *, previous: bool = False) -> Path:
        """Of the run that goes on or was the last; ``previous``: of the last one that is over."""
        # In the pause between two runs both are the same, but the pause is over as soon as the next run has its log.
        back = 1 if previous and self.begun else 0
        return self.folder / f"{max(self.restarts - back, 0)}.log"

    def begin_run(self) -> Log:
        """Count this run when it is a restart, and open its log; logs older than the previous one are removed."""
        if self.last:
            self.restarts += 1
        log = Log(self.log_file())
        self.begun = True
        for old in self.folder.glob("*.log"):
            if old.stem.isdigit() and int(old.stem) <= self.restarts - _KEPT_LOGS:
                old.unlink(missing_ok=True)
        return log

    def runs(self, process: Process | None) -> None:
        """It runs now; without a process it is simulated."""
        self.process = process
        self.identifier = f"genai://{uuid.uuid4().hex}"
        self.current = {"running": {"startedAt": now()}}
        self.started = not self.spec.get("startupProbe") or process is None
        self.ready = self.started and (process is None or not self.spec.get("readinessProbe"))
        self.since = time.monotonic()
        self.kill_at = None

    def waits(self, reason: str, message: str = "") -> None:
        """It cannot run yet."""
        self.current = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        self.ready = self.started = self.begun = False

    def ended(self, code: int, message: str = "", reason: str = "") -> None:
        """Its run is over."""
        self.end_probes()
        begun = self.current.get("running", {}).get("startedAt") or now()
        self.current = _terminated(code, reason or ("Completed" if code == 0 else "Error"), message, begun, self.identifier)
        self.process = None
        self.kill_at = None
        self.ready = self.init and code == 0
        self.started = False

    def back_off(self) -> float:
        """Put the run that is over aside and answer how long to wait for the next. The first is at once."""
        if time.monotonic() - self.since > _LONG_ENOUGH:
            self.failures = 0
        pause = _PAUSES[min(self.failures, len(_PAUSES) - 1)]
        self.failures += 1
        self.due = time.monotonic() + pause
        self.last = self.current
        return pause

    def end_probes(self) -> None:
        for prober in self.probers:
            prober.end()
        self.probers = []


def _terminated(code: int, reason: str, message: str, begun: str | None, identifier: str) -> Object:
    said = {"message": message} if message else {}
    run = {"startedAt": begun, "finishedAt": now(), "containerID": identifier}
    return {"terminated": {"exitCode": code, "reason": reason, **said, **run}}


def take_up(pod: Object, spec: Object, folder: Path, image: Image | None, *, init: bool, kept: bool) -> Running:
    """A container's state, going on from what the API says an earlier agent did.

    Args:
        folder: the pod's folder.
        kept: whether the volumes of that earlier run are still there, so that init containers need not run again.
    """
    state = Running(spec, image, init, folder=folder / spec["name"])
    if not init:
        state.waits("PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating")
    statuses: list[Object] = (pod.get("status") or {}).get("initContainerStatuses" if init else "containerStatuses") or []
    before = next((status for status in statuses if status["name"] == spec["name"]), None)
    if before is None:
        return state
    state.restarts, state.last, state.identifier = before["restartCount"], before.get("lastState") or {}, before.get("containerID", "")
    if "terminated" in before["state"] and (kept or not init):
        state.current = before["state"]
        state.ready = bool(init and state.exit_code == 0)
    elif "running" in before["state"]:
        begun = before["state"]["running"].get("startedAt")
        state.last = _terminated(137, "Error", "the sandbox was stopped", begun, state.identifier)
    return state


def hostname_of(pod: Object) -> str:
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])


def base_variables(context: AgentContext, pod: Object) -> dict[str, str]:
    """What every process gets in addition to its pod's own variables. Nothing of the person's environment is among it."""
    bundle = str(ca.bundle(context.layout))
    api = context.layout.loopback(str(ipaddress.ip_network(context.layout.service_cidr)[1]))
    return {
        "PATH": _PATH,
        "HOME": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "HOSTNAME": hostname_of(pod),
        # Where clients inside a cluster find its API: the service `kubernetes`.
        "KUBERNETES_SERVICE_HOST": api,
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "AWS_ENDPOINT_URL": context.layout.url("aws"),
        # LiteLLM makes its own requests to Bedrock and does not read the SDKs' variable.
        "AWS_BEDROCK_RUNTIME_ENDPOINT": context.layout.url("aws"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), bundle),
    }


def command_for(
    context: AgentContext, pod: Object, state: Running, variables: Mapping[str, str], mounts: list[Mount], address: str
) -> Command:
    """The process that plays a container of a known image.

    Args:
        address: where it should listen, 127.N.x.y.
    """
    assert state.image is not None
    spec: Object = state.spec
    container = Container(
        name=state.name,
        image=spec["image"],
        command=[expand(part, variables) for part in spec.get("command") or ()],
        args=[expand(part, variables) for part in spec.get("args") or ()],
        env=variables,
        address=address,
    )
    scratch, root = state.folder / "root", context.layout.root
    scratch.mkdir(parents=True, exist_ok=True)
    # What must be there, read-only, wherever it lies on this machine.
    visible = (sys.base_prefix, str(Path(genai_platform.__file__).resolve().parent), str(cache_folder()), str(root))
    return Command(
        argv=[str(part) for part in state.image.argv(context.layout, container)],
        env={**base_variables(context, pod), **variables, **state.image.variables(context.layout, container)},
        cwd=spec.get("workingDir") or "/",
        hostname=hostname_of(pod),
        scratch=str(scratch),
        mounts=[*_system_mounts(context), *mounts],
        visible=list(dict.fromkeys(visible)),
        hidden=[str(root / name) for name in _PRIVATE],
        readonly=bool((spec.get("securityContext") or {}).get("readOnlyRootFilesystem")),
    )


def _system_mounts(context: AgentContext) -> list[Mount]:
    nowhere = context.layout.folder("pods") / "resolv.conf"
    if not nowhere.exists():
        nowhere.write_text("# No name server: the hosts file knows every name there is.\n")
    return [
        Mount(str(context.layout.hosts_file), "/etc/hosts", True),
        Mount(str(nowhere), "/etc/resolv.conf", True),
        Mount(str(ca.bundle(context.layout)), "/etc/ssl/certs/ca-certificates.crt", True),
        # Writable, so that Python keeps what it compiled: the next start is the faster for it.
        Mount(sys.prefix, sys.prefix),
    ]
