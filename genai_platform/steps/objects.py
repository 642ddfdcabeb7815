"""A step made of Kubernetes objects: what it renders is what must be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Change, Observation, Progress, State, drifted, present
from genai_platform.render.manifests import INPUTS, Document, secret_values
from genai_platform.tools.kubernetes import images as kube_images
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import ClusterAbsent, Kube
from genai_platform.tools.wait import wait_while

Hook = Callable[[Progress], str]


class Ref(NamedTuple):
    """Which object, without its content: enough to look for it and to delete it."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = NAMESPACE

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def ref(document: Document) -> Ref:
    """The reference of a rendered document."""
    metadata = document["metadata"]
    return Ref(document["apiVersion"], document["kind"], metadata["name"], metadata.get("namespace"))


def _nothing(progress: Progress) -> str:
    return ""


@dataclass(frozen=True)
class Objects:
    """A step whose objects are applied as rendered, then waited for.

    Args:
        kube: gives the client, created when first needed.
        documents: renders them; may raise ``GenaiError`` while what they are made from is missing.
        refs: the objects to look for and to delete, in the order of deletion; independent of ``documents``.
        settle: waits after applying, and returns evidence; empty: that of ``evidence``.
        health: ``None`` when what runs is well, else what is wrong: the step is then drifted though its objects are as rendered.
        evidence: what is there, in words; empty: the objects' names.
        before_destroy, after_destroy: what else belongs to removing, before and after the objects are deleted.
        outside: what still exists outside the cluster though the objects are gone, for ``after_destroy`` to remove; empty: nothing.
        transient: kinds that exist only while ``apply`` runs (a job's secret): not looked at by ``observe``.
    """

    id: str
    needs: tuple[str, ...]
    minutes: float
    limit: float
    kube: Callable[[], Kube]
    documents: Callable[[], list[Document]]
    refs: tuple[Ref, ...]
    settle: Hook = _nothing
    health: Callable[[], str | None] = lambda: None
    evidence: Callable[[], str] = lambda: ""
    before_destroy: Hook = _nothing
    after_destroy: Hook = _nothing
    outside: Callable[[], str] = lambda: ""
    transient: frozenset[str] = frozenset()

    # -- looking ----------------------------------------------------------------------------------
    def observe(self) -> Observation:
        if not self.kube().exists():
            return self._absent("there is no cluster")
        if not any(self.kube().get(*one) for one in self._lasting()):
            return self._absent(f"{self._names(self._lasting())}: not there")
        with unknown_if_never_built():
            return self._compare()

    def _absent(self, evidence: str) -> Observation:
        # The order of creation is that of deletion backwards.
        changes = tuple(Change("create", str(one), f"{one} has not run" if one.kind == "Job" else "") for one in reversed(self._lasting()))
        if left := self.outside():
            return Observation(State.DRIFTED, f"{evidence}, but {left}", changes=changes)
        return Observation(State.ABSENT, evidence, changes=changes)

    def _compare(self) -> Observation:
        compared = [self._compared(document) for document in self.documents() if document["kind"] not in self.transient]
        if faults := [fault for _, fault in compared if fault]:
            return Observation(State.DRIFTED, "; ".join(faults), changes=tuple(change for change, _ in compared))
        if ill := self.health():
            return drifted(ill)
        return present(self._described())

    def _compared(self, document: Document) -> tuple[Change, str]:
        """What ``apply`` would do to one object, and what is wrong with it; empty: nothing."""
        name = str(ref(document))
        if document["kind"] == "Job":
            fault = self._job_fault(document)
            return Change("create" if fault else "none", name, fault), fault
        paths = self.kube().differs(document)
        if paths is None:
            return Change("create", name), f"{name} is missing"
        if not paths:
            return Change("none", name), ""
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        return Change("update", name, ", ".join(paths)), f"{name} differs at {', '.join(paths[:3])}{more}"

    def _job_fault(self, document: Document) -> str:
        name = ref(document)
        found = self.kube().get(*name)
        if found is None:
            return f"{name} has not run"
        if _inputs(found) != _inputs(document):
            return f"{name} ran with other inputs"
        state = kube_wait.job_state(found)
        return "" if state == "complete" else f"{name}: {state}"

    # -- doing ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        documents = self.documents()
        for document in documents:
            progress.check()
            if document["kind"] != "Job":
                self.kube().apply(document)
        try:
            for document in documents:
                if document["kind"] == "Job":
                    self._run(document, progress, kube_wait.redactor(secret_values(documents)))
        finally:
            for document in documents:
                if document["kind"] in self.transient:
                    self.kube().delete(*ref(document))
        return self.settle(progress) or self._described()

    def _run(self, document: Document, progress: Progress, redact: kube_wait.Redact) -> None:
        one = ref(document)
        found = self.kube().get(*one)
        if found is not None and (_inputs(found) != _inputs(document) or _spent(found)):
            # A job cannot be changed, nor told to try at once: the old one goes first.
            progress.say(f"removing the earlier run of job {one.name}")
            kube_wait.delete(self.kube(), *one, progress)
            found = None
        if found is None:
            self.kube().create(document)
        kube_wait.job(self.kube(), one.name, one.namespace or NAMESPACE, progress, self.limit, redact)

    def destroy(self, progress: Progress) -> str:
        try:
            if not self.kube().exists():
                return self.after_destroy(progress) or "there is no cluster"
        except ClusterAbsent:
            return "there is no cluster"
        self.before_destroy(progress)
        removed = []
        for one in self.refs:
            progress.check()
            if kube_wait.delete(self.kube(), *one, progress, timeout=self.limit):
                removed.append(one)
        more = self.after_destroy(progress)
        return "; ".join(filter(None, (f"removed {self._names(removed)}" if removed else "nothing was there", more)))

    # -- small ------------------------------------------------------------------------------------
    def _lasting(self) -> tuple[Ref, ...]:
        return tuple(one for one in self.refs if one.kind not in self.transient)

    def _described(self) -> str:
        return self.evidence() or f"{self._names(self._lasting())}: as rendered"

    @staticmethod
    def _names(refs: Sequence[Ref]) -> str:
        return ", ".join(str(one) for one in refs)


def _spent(job: Document) -> bool:
    """Whether a job has failed, or would only be tried again after a long pause."""
    state = kube_wait.job_state(job)
    return state == "failed" or (state == "running" and kube_wait.failed_tries(job) >= kube_wait.TRIES_ALLOWED)


def _inputs(document: Document) -> Any:
    return (document["metadata"].get("annotations") or {}).get(INPUTS)


def running(kube: Kube, kind: str, name: str) -> str | None:
    """``None`` when a Deployment or StatefulSet is rolled out, else how far it is. For ``health``."""
    found = kube.get("apps/v1", kind, name, NAMESPACE)
    if found is None:
        return f"{kind} {name} is missing"
    if kube_wait.rolled_out({**found, "kind": kind}):
        return None
    return f"{kind} {name}: {found.get('status', {}).get('readyReplicas', 0)}/{found['spec'].get('replicas', 1)} pods ready"


def restart(kube: Kube, kind: str, name: str) -> None:
    """Begin to replace the pods of a Deployment or StatefulSet, as ``kubectl rollout restart`` does."""
    annotations = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    kube.patch("apps/v1", kind, name, NAMESPACE, {"spec": {"template": {"metadata": {"annotations": annotations}}}})


def start_afresh(kube: Kube, kind: str, name: str) -> None:
    """Re-create pods that gave up before this run: they would sit out a long back-off, and their crashes are not ours."""
    workload = kube.get("apps/v1", kind, name, NAMESPACE)
    for pod in kube_wait.pods_of(kube, workload, NAMESPACE) if workload else ():
        if any(_gave_up(one) for one in pod.get("status", {}).get("containerStatuses", ())):
            kube.delete("v1", "Pod", pod["metadata"]["name"], NAMESPACE)


def _gave_up(container: Document) -> bool:
    waiting = container.get("state", {}).get("waiting", {}).get("reason")
    hopeless = waiting in ("CrashLoopBackOff", *kube_images.PULLS)
    return hopeless or (not container.get("ready") and container.get("restartCount", 0) >= 2)


def release_volumes(kube: Kube, claims: Sequence[str], volumes: Sequence[str], progress: Progress, limit: float) -> None:
    """Delete claims, and wait until they and their volumes are gone."""
    for name in claims:
        kube.delete("v1", "PersistentVolumeClaim", name, NAMESPACE)
    kube_wait.gone(kube, "v1", "PersistentVolumeClaim", claims, NAMESPACE, progress, limit)

    def left() -> list[str]:
        return [name for name in volumes if kube.get("v1", "PersistentVolume", name) is not None]

    wait_while(left, progress, lambda left: f"waiting for {len(left)} volumes to go", limit, interval=1.0)


def database_step(
    id: str, needs: tuple[str, ...], kube: Callable[[], Kube], documents: Callable[[], list[Document]], name: str
) -> Objects:  # fmt: skip
    """A step that runs a database job. Its database goes with the database server, not with the job."""
    return Objects(
        id=id,
        needs=needs,
        minutes=0.7,
        limit=900,
        kube=kube,
        documents=documents,
        refs=(Ref("batch/v1", "Job", name), Ref("v1", "ConfigMap", name), Ref("v1", "Secret", name)),
        settle=lambda progress: "role and database are there",
        evidence=lambda: f"job {name} is complete for these inputs",
        transient=frozenset({"Secret"}),
    )
