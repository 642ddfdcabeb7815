"""Waiting for Kubernetes, with the reason: rollouts, jobs, deletions. Fails early when waiting cannot help."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence

from genai_platform.engine.step import Progress
from genai_platform.errors import JobFailed, StepError
from genai_platform.tools.kubernetes import images as kube_images
from genai_platform.tools.kubernetes import obstacles, webhooks
from genai_platform.tools.kubernetes import stuck as kube_stuck
from genai_platform.tools.kubernetes.client import Document, Kube
from genai_platform.tools.wait import wait_for

_API = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "Pod": "v1"}
_RESTARTS_ALLOWED = 4
"""After so many restarts of one container in one rollout, waiting longer will not help."""
TRIES_ALLOWED = 3
"""After so many failed tries of a job it is given up, though Kubernetes would go on with ever longer pauses."""
_HOPELESS = {"InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull"}

_LINE = 400
"""Characters of one line of a log that a message shows."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

STUCK = 30.0
"""Seconds for which a namespace may say that it cannot end before that is believed: its controller tries again meanwhile."""

Redact = Callable[[str], str]


def redactor(secrets: Iterable[str]) -> Redact:
    """A function that hides these values, and what looks like a key or a password in a URL, in lines of a log."""
    # A value of several lines is hidden in a text, and line by line, too.
    parts = {part for secret in secrets for part in (secret, *secret.splitlines())}
    known = sorted((part for part in parts if len(part) >= 6), key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "<secret>")
        text = re.sub(r"(://[^:/@\s]+:)[^@\s]+@", r"\1<secret>@", text)
        text = re.sub(r"\b(sk|pk)-[A-Za-z0-9_-]{8,}", "<secret>", text)
        return re.sub(r"(?i)\b([a-z_]*(?:password|secret|token)['\"]?\s*[=:]\s*['\"]?)[^\s'\",;]{6,}", r"\1<secret>", text)

    return hide


def rolled_out(workload: Document) -> bool:
    """Whether every replica runs the newest revision, is ready, and no old one is left."""
    spec, status, meta = workload["spec"], workload.get("status", {}), workload["metadata"]
    wanted = spec.get("replicas", 1)
    if status.get("observedGeneration", 0) < meta.get("generation", 1):
        return False
    if workload["kind"] == "StatefulSet":
        same = status.get("currentRevision") == status.get("updateRevision") or status.get("updatedReplicas", 0) == wanted
        return bool(same and status.get("readyReplicas", 0) == wanted and status.get("replicas", 0) == wanted)
    return bool(
        status.get("updatedReplicas", 0) == wanted and status.get("availableReplicas", 0) == wanted and status.get("replicas", 0) == wanted
    )


def rollout(kube: Kube, kind: str, name: str, namespace: str, progress: Progress, timeout: float, redact: Redact | None = None) -> str:
    """Wait until a Deployment or StatefulSet runs as its spec says.

    Returns:
        Evidence such as ``2/2 pods ready``.

    Raises:
        StepError: a container keeps crashing or cannot be created (with its last lines), or the time ran out.
    """
    status = f"{name}: not there yet"
    hide = redact or redactor(())

    def look() -> str | None:
        nonlocal status
        workload = kube.get(_API[kind], kind, name, namespace)
        if workload is None:
            return None
        wanted = workload["spec"].get("replicas", 1)
        if rolled_out({"kind": kind, **workload}):
            return f"{wanted}/{wanted} pods ready"
        ready = workload.get("status", {}).get("readyReplicas", 0)
        found = pods_of(kube, workload, namespace)
        reason = obstacles.of_workload(kube, kind, workload, found, namespace)
        # While an old pod still serves, its number says nothing about the new revision.
        updated = workload.get("status", {}).get("updatedReplicas", 0)
        ending = "" if min(ready, updated) < wanted else ", old ones are ending"
        status = f"{name}: {min(ready, updated, wanted)}/{wanted} pods{ending}" + (f"; {reason}" if reason else "")
        _fail_for_image(kube, name, workload, found, namespace)
        _fail_early(kube, name, found, namespace, hide)
        return None

    return wait_for(look, progress, lambda: status, timeout)


def job_state(job: Document) -> str:
    """``complete``, ``failed`` or ``running``."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("status") == "True" and condition["type"] in ("Complete", "SuccessCriteriaMet"):
            return "complete"
        if condition.get("status") == "True" and condition["type"] in ("Failed", "FailureTarget"):
            return "failed"
    return "running"


def failed_tries(job: Document) -> int:
    """How many of a Job's pods have failed so far."""
    return int(job.get("status", {}).get("failed") or 0)


def job(kube: Kube, name: str, namespace: str, progress: Progress, timeout: float, redact: Redact | None = None) -> str:
    """Wait until a Job is complete; return the last lines it wrote.

    Raises:
        StepError: it failed, or keeps failing (with its last lines, secrets hidden), vanished, or the time ran out.
    """
    status = f"job {name}: waiting for its pod"
    hide = redact or redactor(())

    def told(pods: Sequence[Document]) -> str:
        return _brief(hide(_last_log(kube, pods, namespace))) or obstacles.of_pods(kube, pods, namespace) or "it left no log"

    def look() -> str | None:
        nonlocal status
        found = kube.get("batch/v1", "Job", name, namespace)
        if found is None:
            raise StepError(f"job {name} vanished while it was awaited", remedy="run the same command again", id="kube.job_vanished")
        pods = pods_of(kube, found, namespace)
        state = job_state(found)
        if state == "complete":
            return _brief(hide(_last_log(kube, pods, namespace)))
        if state == "failed":
            raise JobFailed(
                f"job {name} failed:\n{told(pods)}", remedy="fix the cause and run the same command again", id="kube.job_failed"
            )
        reason = obstacles.of_pods(kube, pods, namespace) if pods else _refused(kube, name, namespace)
        _fail_for_image(kube, f"job {name}", found, pods, namespace)
        failed = failed_tries(found)
        if failed >= TRIES_ALLOWED:
            raise JobFailed(
                f"job {name} failed {failed} times; its last line: {told(pods).splitlines()[-1]}",
                remedy=f"fix the cause and run the same command again; whole log: kubectl -n {namespace} logs job/{name}",
                id="kube.job_failed",
            )
        phase = str(pods[-1].get("status", {}).get("phase", "Pending")).lower() if pods else "no pod yet"
        status = f"job {name}: {phase}" + (f", {failed} failed tries" if failed else "") + (f"; {reason}" if reason else "")
        return None

    return wait_for(look, progress, lambda: status, timeout, interval=1.0)


def gone(
    kube: Kube, api_version: str, kind: str, names: Sequence[str], namespace: str | None, progress: Progress, timeout: float
) -> None:  # fmt: skip
    """Wait until objects that are being deleted are gone. Failing to look is never taken for gone.

    Raises:
        StepError: the time ran out; or a namespace has said for a while why it cannot end, with the command that ends that.
    """
    status, since = "", time.monotonic()

    def look() -> bool | None:
        nonlocal status
        left = [(name, found) for name in names if (found := kube.get(api_version, kind, name, namespace)) is not None]
        if not left:
            return True
        holders = sorted({holder for _, found in left for holder in found["metadata"].get("finalizers", ())})
        status = f"waiting for {kind} {', '.join(name for name, _ in left)} to go" + (f" (held by {', '.join(holders)})" if holders else "")
        stuck = next(filter(None, (kube_stuck.namespace(kube, found) for _, found in left)), None) if kind == "Namespace" else None
        if stuck is not None:
            status += f": {stuck.text}"
            if stuck.remedy and time.monotonic() - since > STUCK:
                raise StepError(f"{kind} {left[0][0]} does not end: {stuck.text}", remedy=stuck.remedy, id="kube.stuck")
        return None

    wait_for(look, progress, lambda: status, timeout, interval=1.0)


def delete(
    kube: Kube, api_version: str, kind: str, name: str, namespace: str | None, progress: Progress, timeout: float = 300
) -> bool:  # fmt: skip
    """Delete one object and wait until it is gone. ``False`` when it was not there."""
    # What owns pods goes after them; for the rest that would only be a detour.
    if not kube.delete(api_version, kind, name, namespace, propagation="Foreground" if kind in _API else "Background"):
        return False
    gone(kube, api_version, kind, [name], namespace, progress, timeout)
    return True


# -- what pods tell --------------------------------------------------------------------------------
def pods_of(kube: Kube, owner: Document, namespace: str) -> list[Document]:
    """The pods of a workload or Job, the oldest first."""
    labels = owner["spec"].get("selector", {}).get("matchLabels") or {}
    if not labels:
        return []
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    found = kube.list("v1", "Pod", namespace, label_selector=selector)
    return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))


def _refused(kube: Kube, name: str, namespace: str) -> str:
    """Why a Job has no pod. Raises ``StepError`` where a webhook refuses it, with the command that deletes the webhook."""
    for event in reversed(kube.events(namespace, "Job", name)):
        if event.get("type") == "Warning" and event.get("reason") == "FailedCreate":
            message = str(event.get("message", ""))
            if command := webhooks.removal(kube.list, message):
                text = f"job {name} gets no pod: a webhook refuses it ({message[:200]}); to delete it: {command}"
                raise StepError(text, remedy=command, id="kube.webhook")
            return f"last event: FailedCreate: {message[:160]}"
    return ""


def _fail_for_image(kube: Kube, name: str, workload: Document, pods: Sequence[Document], namespace: str) -> None:
    """Give up where a registry does not have, or does not give, an image of the newest revision."""
    wanted = kube_images.images(workload)
    for pod in pods:
        fault = None if pod["metadata"].get("deletionTimestamp") else kube_images.pull_fault(kube, namespace, pod, wanted)
        if fault and fault[1]:
            raise StepError(
                f"{name}: {fault[0]}",
                remedy="correct the image's name and version in the configuration, or let the nodes pull it; then run the same command",
                id="kube.image",
            )


def _fail_early(kube: Kube, name: str, pods: Sequence[Document], namespace: str, redact: Redact) -> None:
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for status in obstacles.container_statuses(pod):
            waiting = status.get("state", {}).get("waiting", {}).get("reason", "")
            crashing = status.get("restartCount", 0) >= _RESTARTS_ALLOWED and not status.get("ready")
            if crashing or waiting in _HOPELESS:
                pod_name = pod["metadata"]["name"]
                lines = kube.logs(pod_name, namespace, container=status["name"], previous=crashing)
                lines = lines or kube.logs(pod_name, namespace, container=status["name"])
                what = f"restarted {status['restartCount']} times" if crashing else waiting
                detail = str(status.get("state", {}).get("waiting", {}).get("message", ""))
                raise StepError(
                    f"{name}: container {status['name']} of pod {pod_name}: {what}\n{_brief(redact(lines or detail))}".rstrip(),
                    remedy=f"see the whole log: kubectl -n {namespace} logs {pod_name} -c {status['name']} --previous",
                    id="kube.crash_loop",
                )


def _last_log(kube: Kube, pods: Sequence[Document], namespace: str) -> str:
    for pod in reversed(pods):
        for status in reversed(obstacles.container_statuses(pod)):
            text = kube.logs(pod["metadata"]["name"], namespace, container=status["name"])
            if text.strip():
                return text.strip()
    return ""


def _brief(text: str) -> str:
    """Lines of a log for a message: without colours, and none longer than a person reads."""
    lines = (_COLOUR.sub("", line).rstrip() for line in text.splitlines())
    return "\n".join(line if len(line) <= _LINE else f"{line[: _LINE // 2]} … {line[-_LINE // 2 :]}" for line in lines if line.strip("# -"))
