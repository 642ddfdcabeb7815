"""The life of one pod, in one thread: volumes, init containers, containers, restarts, the end.

Everything that happens (a change of the pod, an exit, a probe's verdict) is put into the thread's inbox as a call.
After each, ``_step`` looks at all states again and does what is due, so no order of events is special.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from genai_platform.errors import GenaiError
from genai_platform.sandbox.cluster.agent import termination
from genai_platform.sandbox.cluster.agent.container import Running, base_variables, command_for, take_up
from genai_platform.sandbox.cluster.agent.context import NODE_ADDRESS, AgentContext
from genai_platform.sandbox.cluster.agent.environment import ConfigFault, resolve
from genai_platform.sandbox.cluster.agent.events import Severity
from genai_platform.sandbox.cluster.agent.probes import ProbeKind, Prober, Target
from genai_platform.sandbox.cluster.agent.process import Command, Process, StartFault, run_inside
from genai_platform.sandbox.cluster.agent.status import phase_of, restarts, status_of
from genai_platform.sandbox.cluster.agent.volumes import Volumes
from genai_platform.sandbox.cluster.api import STRATEGIC, ApiError, Object, path_of
from genai_platform.sandbox.pace import IMAGE_PULL_BACK_OFF, IMAGE_PULL_LONGEST

_log = logging.getLogger(__name__)
_RETRY = 1.0
_MISSING = 5.0
"""Until what a pod names and nobody has made is looked for again; when it is made, that is heard of at once."""
_HALT = 3.0
_FINAL = ("Succeeded", "Failed")


class Worker:
    """Runs one pod that is bound to this node."""

    def __init__(self, context: AgentContext, pod: Object, address: str) -> None:
        self.name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        self.thread = threading.Thread(target=self._run, name=f"pod {self.name}", daemon=True)
        self.address, self.loopback = address, context.layout.loopback(address)
        self._context, self.pod = context, pod
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._folder = context.layout.folder("pods") / pod["metadata"]["uid"]
        namespace = pod["metadata"]["namespace"]
        self._volumes = Volumes(
            self._folder / "volumes",
            context.lookup(namespace),
            partial(context.token, pod),
            partial(context.claims.folder, namespace),
            context.capacity,
        )
        kept = (self._folder / "volumes").exists()
        self._volumes_due: float | None = 0.0
        self._mounted = self._over = self._gone = False
        self.settled = (pod.get("status") or {}).get("phase") in _FINAL
        """Its work is over; it stays for its logs until it is deleted."""
        find, spec = context.images.find, pod["spec"]
        self.init = [take_up(pod, c, self._folder, find(c["image"]), init=True, kept=kept) for c in spec.get("initContainers") or ()]
        self.main = [take_up(pod, c, self._folder, find(c["image"]), init=False, kept=kept) for c in spec["containers"]]
        self._policy: str = spec.get("restartPolicy", "Always")
        self._sent: Object = {}
        """The status that was written last."""
        self._unsent = False
        """Whether a later one has not reached the API."""

    # -- called by other threads ------------------------------------------------------------------
    def update(self, pod: Object) -> None:
        """The pod changed in the API."""
        self._tell(self._updated, pod)

    def refresh(self, name: str) -> None:
        """A config map, secret or claim of that name changed."""
        self._tell(self._refreshed, name)

    def gone(self) -> None:
        """The pod does not exist any more."""
        self._tell(setattr, self, "_gone", True)

    def halt(self) -> None:
        """End the processes and leave the API as it is: the agent stops."""
        self._tell(self._halt)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        self._inbox.put(partial(call, *arguments))

    def _run(self) -> None:
        while not self._over:
            try:
                pause = self._step()
            except ApiError as error:
                _log.warning("%s: %s", self.name, error)
                pause = _RETRY
            except Exception:
                _log.exception("%s", self.name)
                pause = _RETRY
            if not self._over:
                with contextlib.suppress(queue.Empty):
                    self._inbox.get(timeout=pause)()
                    while True:
                        self._inbox.get_nowait()()

    def _step(self) -> float | None:
        """Do what is due; answer how long until the next thing is."""
        if self._gone or self.pod["metadata"].get("deletionTimestamp"):
            self._finish()
            return None
        if self.settled:
            return None
        phase = self._phase()
        if phase not in _FINAL:
            self._mount()
            if self._mounted:
                self._advance()
            phase = self._phase()
        if phase in _FINAL:
            for state in self._all():
                if state.process and state.kill_at is None:
                    self._stop(state)
        self._report(phase)
        self.settled = phase in _FINAL and not self._unsent and not any(s.process for s in self._all())
        moments = [self._volumes_due] if self._volumes_due is not None and phase not in _FINAL else []
        moments += [s.kill_at for s in self._all() if s.kill_at is not None]
        moments += [s.due for s in self._all() if s.due > time.monotonic()]
        if self._unsent:
            moments.append(time.monotonic() + _RETRY)
        return max(min(moments) - time.monotonic(), 0.01) if moments else None

    def _mount(self) -> None:
        if self._volumes_due is None or time.monotonic() < self._volumes_due:
            return
        try:
            self._volumes.prepare(self.pod)
        except (ConfigFault, ApiError) as error:
            self._volumes_due = time.monotonic() + (_MISSING if isinstance(error, ConfigFault) else _RETRY)
            if not self._mounted:
                for state in self._all():
                    state.waits("PodInitializing" if self.init and not state.init else "ContainerCreating")
                self._emit("FailedMount", f"MountVolume.SetUp failed: {error}", "Warning")
        else:
            self._mounted = True
            self._volumes_due = self._volumes.tokens_expire()

    def _advance(self) -> None:
        for state in self.init:
            if state.exit_code == 0 and not state.sidecar:
                continue
            self._keep_up(state, "Always" if state.sidecar else "OnFailure" if self._policy == "Always" else self._policy)
            if state.sidecar and state.running and state.started:
                continue
            if state.exit_code != 0:
                return
        for state in self.main:
            self._keep_up(state, self._policy)

    def _initialized(self) -> bool:
        return all(s.started if s.sidecar else s.exit_code == 0 for s in self.init) or any(s.running or s.last for s in self.main)

    def _phase(self) -> str:
        return phase_of(self._policy, self.init, self.main, initialized=self._initialized())

    def _keep_up(self, state: Running, policy: str) -> None:
        """Start it, start it again, or kill it, if that is due."""
        if state.running:
            if state.kill_at is not None and time.monotonic() >= state.kill_at and state.process:
                state.process.kill()
                state.kill_at = None
            return
        if state.exit_code is not None:
            if not restarts(policy, state.exit_code):
                return
            pause = state.back_off()
            if pause:
                meta = self.pod["metadata"]
                name = f"{state.name} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
                state.waits("CrashLoopBackOff", f"back-off {pause:g}s restarting failed container={name}")
                self._emit("BackOff", f"Back-off restarting failed container {name.replace('pod=', 'in pod ')}", "Warning")
        if time.monotonic() >= state.due:
            self._start(state)

    def _start(self, state: Running) -> None:
        try:
            variables = resolve(self.pod, state.spec, self._context.lookup(self.pod["metadata"]["namespace"]), self._context.capacity)
            mounts = self._volumes.mounts(state.spec, variables)
        except (ConfigFault, ApiError) as error:
            state.waits("CreateContainerConfigError", str(error))
            state.due = time.monotonic() + (_MISSING if isinstance(error, ConfigFault) else _RETRY)
            self._emit("Failed", f"Error: {error}", "Warning")
            return
        if fault := self._context.registry.fault(state.spec["image"]):
            self._pull_failed(state, fault)
            return
        state.pulls = 0
        self._emit("Pulled", f'Container image "{state.spec["image"]}" already present on machine')
        if state.image is None:
            self._simulate(state)
            return
        state.since = time.monotonic()
        log = state.begin_run()
        try:
            command = command_for(self._context, self.pod, state, variables, mounts, self.loopback)
            process = Process(command, log, partial(self._tell, self._exited, state))
        except (StartFault, GenaiError, OSError, ValueError) as error:
            log.write([str(error).encode()])
            log.close()
            state.ended(128, f"failed to start the container's process: {error}", "StartError")
            self._emit("Failed", f"Error: {error}", "Warning")
            # Not at once: what cannot start now will not start in the next millisecond.
            state.failures = max(state.failures, 1)
            return
        state.runs(process)
        self._emit("Created", f"Container created: {state.name}")
        self._emit("Started", f"Container started: {state.name}")
        self._probe(state, process, ("startup",) if state.spec.get("startupProbe") else ("readiness", "liveness"))

    def _pull_failed(self, state: Running, fault: str) -> None:
        """As a kubelet shows it: the error first, then that it waits, longer each time; the error in an event each time."""
        image, pace = state.spec["image"], self._context.layout.pace
        again = state.pulls > 0
        state.waits("ImagePullBackOff" if again else "ErrImagePull", f'Back-off pulling image "{image}"' if again else fault)
        self._emit("Failed", f'Failed to pull image "{image}": {fault}', "Warning")
        self._emit("Failed", "Error: ImagePullBackOff" if again else "Error: ErrImagePull", "Warning")
        state.due = time.monotonic() + min(pace.of(IMAGE_PULL_BACK_OFF) * 2**state.pulls, pace.of(IMAGE_PULL_LONGEST))
        state.pulls += 1

    def _simulate(self, state: Running) -> None:
        """An image nobody knows: it seems to run, but work that is to have a result is not pretended."""
        log = state.begin_run()
        log.write([f"The sandbox has no process for the image {state.spec['image']}; this container is simulated.".encode()])
        log.close()
        state.runs(None)
        self._emit("Started", f"Container started: {state.name} (simulated)")
        if state.init and not state.sidecar:
            state.ended(0, "simulated: the sandbox has no process for this image")
        elif self._policy != "Always" and not state.sidecar:
            state.ended(1, f"the sandbox has no process for the image {state.spec['image']}, so its work was not done")

    def _probe(self, state: Running, process: Process, kinds: tuple[ProbeKind, ...]) -> None:
        variables = base_variables(self._context, self.pod)
        target = Target(
            state.spec, self.address, self.loopback, lambda argv, seconds: run_inside(process.pid, Command(argv, variables), seconds)
        )
        for kind in kinds:
            if probe := state.spec.get(f"{kind}Probe"):
                prober = Prober(kind, probe, target, partial(self._tell, self._judged, state, process))
                state.probers.append(prober)
                prober.start()

    def _exited(self, state: Running, process: Process, code: int) -> None:
        if state.process in (process, None):
            wanted = state.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" and code != 0
            state.ended(code, process.log.tail(80, 2048) if wanted else "")

    def _judged(self, state: Running, process: Process, kind: ProbeKind, ok: bool, message: str, final: bool) -> None:
        if state.process is not process or state.kill_at is not None:
            return
        if not ok:
            self._emit("Unhealthy", f"{kind.capitalize()} probe failed: {message}", "Warning")
            if final and kind == "readiness":
                state.ready = False
            elif final:
                self._emit("Killing", f"Container {state.name} failed {kind} probe, will be restarted")
                self._stop(state)
        elif kind == "startup":
            state.started = True
            state.ready = not state.spec.get("readinessProbe")
            self._probe(state, process, ("readiness", "liveness"))
        elif kind == "readiness":
            state.ready = True

    def _stop(self, state: Running, grace: float | None = None) -> None:
        if grace is None:
            grace = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        state.end_probes()
        state.kill_at = time.monotonic() + grace
        if state.process:
            state.process.terminate()

    def _finish(self) -> None:
        """Deletion: hooks, SIGTERM, SIGKILL when the grace period is over, then the object itself."""
        grace = 0.0 if self._gone else float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        deadline = time.monotonic() + grace
        for state in self._all():
            if state.running and not self._gone:
                self._emit("Killing", f"Stopping container {state.name}")
                if state.process:
                    variables = base_variables(self._context, self.pod)
                    if fault := termination.pre_stop(state.process, state.spec, variables, deadline - time.monotonic()):
                        self._emit("FailedPreStopHook", f"PreStopHook failed: {fault}", "Warning")
            self._stop(state, grace)
        while any(s.process for s in self._all()) and not self._gone:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            with contextlib.suppress(queue.Empty):
                self._inbox.get(timeout=left)()
        termination.kill(s.process for s in self._all() if s.process)
        for state in self._all():
            if state.running:
                state.ended(0)
        self._over = True
        if not self._gone:
            if not self.settled:
                with contextlib.suppress(ApiError):
                    self._report(self._phase() if self._initialized() else "Failed")
            with contextlib.suppress(ApiError):
                termination.remove(self._context.api, self.pod)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._context.changed()

    def _halt(self) -> None:
        self._over = True
        for state in self._all():
            self._stop(state)
        deadline = time.monotonic() + _HALT
        for process in [s.process for s in self._all() if s.process]:
            process.wait(max(deadline - time.monotonic(), 0))
        termination.kill(s.process for s in self._all() if s.process)

    def _updated(self, pod: Object) -> None:
        if int(pod["metadata"]["resourceVersion"]) > int(self.pod["metadata"]["resourceVersion"]):
            before, self.pod = self.pod, pod
            if any(before["metadata"].get(field) != pod["metadata"].get(field) for field in ("labels", "annotations")):
                self._volumes_due = 0.0

    def _refreshed(self, name: str) -> None:
        if f'"{name}"' in json.dumps(self.pod["spec"]) or any("ephemeral" in v for v in self.pod["spec"].get("volumes") or ()):
            self._volumes_due = 0.0
            for state in self._all():
                if state.current.get("waiting", {}).get("reason") == "CreateContainerConfigError":
                    state.due = 0.0

    def _report(self, phase: str) -> None:
        """Write the pod's status into the API where it is another than the one written before.

        Raises:
            ApiError: the API did not take it.
        """
        initialized = self._initialized()
        status = status_of(self.pod, self.init, self.main, initialized=initialized, phase=phase, address=self.address, node=NODE_ADDRESS)
        if status == self._sent:
            return
        meta = self.pod["metadata"]
        self._unsent = True
        body = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            answer = self._context.api.patch(path_of("pods", meta["namespace"], meta["name"]) + "/status", body, STRATEGIC)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self._unsent = False
        else:
            self._unsent, self._sent = False, status
            self._updated(answer)
            self._context.changed()

    def _all(self) -> Iterator[Running]:
        yield from (*self.init, *self.main)

    def _emit(self, reason: str, message: str, severity: Severity = "Normal") -> None:
        self._context.events.emit(self.pod, reason, message, severity)
