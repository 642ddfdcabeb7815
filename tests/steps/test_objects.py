"""Steps made of Kubernetes objects, in a cluster that is a dictionary."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from genai_platform.engine.observe import changes, observe
from genai_platform.engine.step import State
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.render import manifests
from genai_platform.render.manifests import INPUTS
from genai_platform.steps.objects import Objects, Ref, database_step
from genai_platform.tools.kubernetes.client import ClusterAbsent, changed


class Silent:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


class Cluster:
    """Keeps what is applied; jobs end as ``ends`` says; counts writes that change something."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.ends = "Complete"
        self.there = True
        self.broken: Exception | None = None
        self.runs: list[str] = []
        self.read: list[str] = []
        self.log = ""

    def exists(self) -> bool:
        return self.there

    def get(self, api_version, kind, name, namespace=None):
        self.read.append(name)
        if self.broken:
            raise self.broken
        return copy.deepcopy(self.objects.get((kind, name)))

    def list(self, api_version, kind, namespace=None, **selectors):
        return []

    def events(self, namespace, kind, name):
        return []

    def logs(self, *args, **kwargs):
        return self.log

    def apply(self, document, *, dry_run=False):
        if not dry_run:
            self.objects[document["kind"], document["metadata"]["name"]] = copy.deepcopy(document)
        return document

    def differs(self, document):
        now = self.get("", document["kind"], document["metadata"]["name"])
        return None if now is None else changed(now, document)

    def create(self, document):
        one = copy.deepcopy(document)
        self.runs.append(one["metadata"]["annotations"][INPUTS])
        one["status"] = {"conditions": [{"type": self.ends, "status": "True"}]}
        one["spec"].setdefault("selector", {})
        self.objects[one["kind"], one["metadata"]["name"]] = one

    def delete(self, api_version, kind, name, namespace=None, propagation=""):
        return self.objects.pop((kind, name), None) is not None


def config(value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "genai-platform"}, "data": {"a": value}}


def config_step(cluster: Cluster, content: list[str], **more: Any) -> Objects:
    return Objects(
        id="x.config", needs=(), minutes=0, limit=5, kube=lambda: cluster, documents=lambda: [config(content[0])],
        refs=(Ref("v1", "ConfigMap", "c"),), **more,
    )  # fmt: skip


def test_what_is_left_outside_the_cluster_is_not_absent():
    cluster, left = Cluster(), ["a record is still there"]
    step = config_step(
        cluster, ["1"], outside=lambda: left[0], after_destroy=lambda progress: left.__setitem__(0, "") or "removed the record"
    )
    for there in (True, False):
        cluster.there, left[0] = there, "a record is still there"
        assert step.observe().state is State.DRIFTED
        assert "removed the record" in step.destroy(Silent())
        assert step.observe().state is State.ABSENT


def test_absent_then_present_then_drifted_then_mended():
    cluster, content = Cluster(), ["one"]
    step = config_step(cluster, content)
    assert step.observe().state is State.ABSENT
    step.apply(Silent())
    assert step.observe().state is State.PRESENT
    content[0] = "two"
    found = step.observe()
    assert found.state is State.DRIFTED
    assert "data.a" in found.evidence
    assert [(change.action, change.detail) for change in changes(step.id, found)] == [("update", "data.a")]
    step.apply(Silent())
    assert step.observe().state is State.PRESENT


def test_without_a_cluster_everything_is_absent_and_nothing_is_left_to_remove():
    cluster = Cluster()
    cluster.there = False
    step = config_step(cluster, ["one"])
    assert step.observe().state is State.ABSENT
    assert step.destroy(Silent()) == "there is no cluster"
    assert [(change.action, change.object) for change in changes(step.id, step.observe())] == [("create", "ConfigMap c")]


def test_what_cannot_be_seen_is_unknown_and_never_absent():
    cluster = Cluster()
    cluster.broken = StepError("the API does not answer")
    assert observe(config_step(cluster, ["one"])).state is State.UNKNOWN
    cluster.broken = ClusterAbsent("no cluster")
    assert observe(config_step(cluster, ["one"])).state is State.ABSENT


def test_objects_whose_inputs_were_never_built_are_unknown_and_never_absent():
    """A state may be lost while the cluster runs: what was made from it must still be removed."""
    cluster = Cluster()
    config_step(cluster, ["one"]).apply(Silent())

    def documents() -> list[dict[str, Any]]:
        raise NeverBuilt("terraform root 'data' was not applied yet", remedy="run: genai infra")

    found = observe(replace(config_step(cluster, ["one"]), documents=documents))
    assert (found.state, found.evidence, found.remedy) == (State.UNKNOWN, "terraform root 'data' was not applied yet", "run: genai infra")
    cluster.objects.clear()
    assert observe(replace(config_step(cluster, ["one"]), documents=documents)).state is State.ABSENT


def test_a_look_reads_each_object_once_and_lists_what_it_found():
    cluster = Cluster()
    step = Objects(
        id="x.two", needs=(), minutes=0, limit=5, kube=lambda: cluster, documents=lambda: [config("one"), config("one") | OTHER],
        refs=(Ref("v1", "ConfigMap", "c"), Ref("v1", "ConfigMap", "d")),
    )  # fmt: skip
    step.apply(Silent())
    cluster.objects["ConfigMap", "c"]["data"]["a"] = "two"
    del cluster.objects["ConfigMap", "d"]
    cluster.read.clear()
    found = changes(step.id, observe(step))
    assert [(change.action, change.object) for change in found] == [("update", "ConfigMap c"), ("create", "ConfigMap d")]
    assert sorted(cluster.read) == ["c", "c", "d"], "one to see that something exists, then one for each object"


OTHER = {"metadata": {"name": "d", "namespace": "genai-platform"}}


def test_objects_that_are_right_but_ill_are_drifted():
    step = config_step(Cluster(), ["one"], health=lambda: "0/1 pods ready")
    step.apply(Silent())
    assert (step.observe().state, step.observe().evidence) == (State.DRIFTED, "0/1 pods ready")


def test_removing_twice_is_fine():
    cluster = Cluster()
    step = config_step(cluster, ["one"])
    step.apply(Silent())
    assert "ConfigMap c" in step.destroy(Silent())
    assert step.destroy(Silent()) == "nothing was there"


def job_step(cluster: Cluster, password: list[str]) -> Objects:
    def documents() -> list[dict[str, Any]]:
        return manifests.database(
            "x-database",
            manifests.DatabaseServer("s", "h", 1, "a", "administrator-password"),
            image="i",
            role="r",
            database="d",
            password=password[0],
        )

    return database_step("x.database", (), lambda: cluster, documents, "x-database")


def test_a_job_runs_once_for_its_inputs_and_again_when_they_change():
    cluster, password = Cluster(), ["first-password"]
    step = job_step(cluster, password)
    step.apply(Silent())
    step.apply(Silent())
    assert len(cluster.runs) == 1
    assert step.observe().state is State.PRESENT
    password[0] = "second-password"
    assert step.observe().state is State.DRIFTED
    step.apply(Silent())
    assert len(set(cluster.runs)) == 2


def test_the_administrators_password_does_not_stay_in_the_cluster():
    cluster = Cluster()
    job_step(cluster, ["first-password"]).apply(Silent())
    assert ("Secret", "x-database") not in cluster.objects
    cluster.ends = "Failed"
    with pytest.raises(StepError):
        job_step(cluster, ["second-password"]).apply(Silent())
    assert ("Secret", "x-database") not in cluster.objects


def test_a_failed_job_is_told_without_its_secrets_and_run_again():
    cluster = Cluster()
    cluster.ends, step = "Failed", job_step(cluster, ["first-password"])
    with pytest.raises(StepError, match="job x-database failed") as caught:
        step.apply(Silent())
    assert "first-password" not in caught.value.message
    assert step.observe().state is State.DRIFTED
    cluster.ends = "Complete"
    step.apply(Silent())
    assert step.observe().state is State.PRESENT


def test_a_job_whose_pods_keep_failing_is_given_up_early_and_tried_afresh_next_time():
    cluster = Cluster()
    step = job_step(cluster, ["first-password"])

    def failing(document):
        Cluster.create(cluster, document)
        name = document["metadata"]["name"]
        cluster.objects["Job", name]["status"] = {"failed": 3, "active": 1}

    cluster.create = failing  # type: ignore[method-assign]
    with pytest.raises(StepError, match="failed 3 times; its last line") as caught:
        step.apply(Silent())
    assert "first-password" not in caught.value.message
    del cluster.create
    step.apply(Silent())
    assert len(cluster.runs) == 2
    assert step.observe().state is State.PRESENT
