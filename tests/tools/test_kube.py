"""The cluster's door and the waits, as far as they need no cluster."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import Interrupted, StepError
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import ClusterAbsent, Kube, changed
from genai_platform.tools.wait import wait_for


class Progress:
    def __init__(self, stop_after: int = 10**9) -> None:
        self.said: list[str] = []
        self.left = stop_after

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Interrupted


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waited(looks: list[Any], progress: Progress, timeout: float = 100) -> Any:
    clock = Clock()
    given = iter(looks)
    return wait_for(lambda: next(given, None), progress, lambda: f"{clock.now:.0f} s in", timeout, 10, clock=clock, sleep=clock.sleep)


def test_waiting_ends_with_the_answer_and_says_each_status_once():
    progress = Progress()
    assert waited([*[None] * 8, "there"], progress) == "there"
    assert progress.said == ["0 s in", "1 s in", "2 s in"]


def test_the_pauses_between_looks_grow_to_the_interval():
    clock, looks = Clock(), list[float]()
    with pytest.raises(StepError):
        wait_for(lambda: looks.append(clock.now), Progress(), lambda: "", 100, 10, clock=clock, sleep=clock.sleep)
    pauses = [after - before for before, after in pairwise(looks)]
    assert pauses[0] == pytest.approx(0.1)
    assert all(after == pytest.approx(min(10, 1.25 * before)) for before, after in pairwise(pauses[:-1]))
    assert max(pauses) == pytest.approx(10)


def test_a_wait_that_takes_too_long_names_the_last_status():
    with pytest.raises(StepError, match="gave up after 25 s: 25 s in"):
        waited([], Progress(), timeout=25)


def test_a_wait_hears_that_it_should_stop():
    with pytest.raises(Interrupted):
        waited([], Progress(stop_after=3))


def test_what_the_server_counts_is_no_change():
    now = {
        "metadata": {"name": "a", "resourceVersion": "1", "generation": 1, "managedFields": []},
        "spec": {"a": [1, {"b": 2}]},
        "status": {},
    }
    then = {"metadata": {"name": "a", "resourceVersion": "2", "generation": 2}, "spec": {"a": [1, {"b": 2}]}, "status": {"x": 1}}
    assert changed(now, then) == []
    then["spec"]["a"][1]["b"] = 3
    then["metadata"]["labels"] = {"x": "y"}
    assert changed(now, then) == ["metadata.labels", "spec.a[1].b"]


def test_logs_are_shown_without_secrets():
    hide = kube_wait.redactor(["hunter2hunter2", "x"])
    text = hide("password=hunter2hunter2 postgresql://u:s3cretvalue@h/d key sk-abcdefgh1234 PGPASSWORD: topsecret99 x")
    for secret in ("hunter2", "s3cretvalue", "sk-abcdefgh", "topsecret99"):
        assert secret not in text
    assert text.endswith(" x")


def deployment(**status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"generation": 2},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}},
        "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2} | status,
    }


def test_rolled_out_means_new_ready_and_no_old_pod_left():
    assert kube_wait.rolled_out(deployment())
    for wrong in ({"observedGeneration": 1}, {"updatedReplicas": 1}, {"availableReplicas": 1}, {"replicas": 3}):
        assert not kube_wait.rolled_out(deployment(**wrong))


class Api:
    def __init__(self, workload: dict[str, Any], pods: list[dict[str, Any]], events: list[dict[str, Any]] | None = None) -> None:
        self.workload, self.pods, self.notes = workload, pods, events or []

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self.workload

    def list(self, *args: Any, **kwargs: Any) -> Any:
        return self.pods

    def events(self, namespace: str, kind: str, name: str | None = None) -> Any:
        return [one for one in self.notes if one.get("involvedObject", {}).get("kind", "Pod") == kind]

    def logs(self, pod: str, namespace: str, **kwargs: Any) -> str:
        return "Traceback\nboom sk-abcdefgh12345678"


def pod(waiting: str = "", restarts: int = 0) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {}
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026"},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "restartCount": restarts, "ready": False, "state": state}]},
    }


def test_a_rollout_says_why_it_waits():
    api = Api(deployment(updatedReplicas=1, readyReplicas=1, availableReplicas=1), [pod("RunContainerError")])
    progress = Progress(stop_after=3)
    with pytest.raises(Interrupted):
        kube_wait.rollout(api, "Deployment", "litellm", "ns", progress, 60)
    assert progress.said == ["litellm: 1/2 pods; last event: RunContainerError"]


def test_the_last_warning_is_the_reason_when_no_container_has_one():
    api = Api(deployment(updatedReplicas=0, readyReplicas=0, availableReplicas=0), [pod()], [
        {"type": "Warning", "reason": "FailedScheduling", "message": "0/3 nodes fit"}
    ])  # fmt: skip
    progress = Progress(stop_after=3)
    with pytest.raises(Interrupted):
        kube_wait.rollout(api, "Deployment", "litellm", "ns", progress, 60)
    assert progress.said == ["litellm: 0/2 pods; last event: FailedScheduling: 0/3 nodes fit"]


def test_a_crash_loop_ends_the_wait_with_its_last_lines():
    api = Api(deployment(updatedReplicas=0, readyReplicas=0), [pod("CrashLoopBackOff", restarts=5)])
    with pytest.raises(StepError, match="restarted 5 times") as caught:
        kube_wait.rollout(api, "Deployment", "litellm", "ns", Progress(), 60)
    assert "boom <secret>" in caught.value.message
    assert "kubectl" in caught.value.remedy


class Eks:
    def __init__(self, found: dict[str, Any] | None) -> None:
        self.found = found

    def describe_cluster(self, name: str) -> dict[str, Any] | None:
        return self.found


def target(tmp_path: Any) -> Target:
    return Target("default", Settings(), Endpoints(), tmp_path / "state")


def test_the_kubeconfig_holds_no_credential_and_is_private(tmp_path):
    found = {"name": "genai", "endpoint": "https://k", "certificateAuthority": {"data": "Zm9v"}}
    path = Kube(target(tmp_path), Eks(found)).kubeconfig()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    user = yaml.safe_load(path.read_text())["users"][0]["user"]
    assert list(user) == ["exec"]
    assert user["exec"]["args"][-5:] == ["kube-token", "--cluster", "genai", "--region", "ap-northeast-1"]


class Resized(BaseHTTPRequestHandler):
    """An API server that answers 503 to every first request for an address."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        first = self.path not in self.seen
        self.seen.append(self.path)
        kinds = {"resources": [{"kind": "ConfigMap", "name": "configmaps", "namespaced": True}]}
        body = json.dumps(kinds if self.path == "/api/v1" else {"kind": "ConfigMap", "data": {"a": "b"}}).encode()
        self.send_response(503 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tmp_path: Path) -> Iterator[Kube]:
    """A door to a server that answers so."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    made = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [cluster], "contexts": [context],
            "users": [{"name": "u", "user": {"token": "t"}}]}  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(made))
    try:
        yield Kube(Target("default", Settings(), Endpoints(kubeconfig=tmp_path / "kubeconfig"), tmp_path))
    finally:
        server.shutdown()
        server.server_close()


def answering(**statuses: int) -> type[BaseHTTPRequestHandler]:
    """An API server that answers so to the last part of an address, and 200 to every other."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path.rpartition("/")[2], 200))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    return Answering


@pytest.mark.parametrize(("statuses", "said"), [({}, None), ({"readyz": 500}, "500"), ({"default": 401}, "401"), ({"default": 403}, "403")])
def test_what_an_endpoint_that_was_just_made_still_lacks_is_said(tmp_path, statuses, said):
    """Its access entries count last: ready for everybody is not yet ready for us."""
    with serving(answering(**statuses), tmp_path) as door:
        found = door.not_ready()
    assert found is None if said is None else said in found


def test_what_time_does_not_change_is_no_endpoint_on_its_way(tmp_path):
    with serving(answering(readyz=400), tmp_path) as door, pytest.raises(StepError, match="400"):
        door.not_ready()


def test_a_control_plane_that_is_resized_is_asked_again(tmp_path):
    with serving(Resized, tmp_path) as door:
        assert door.get("v1", "ConfigMap", "c", "ns") == {"kind": "ConfigMap", "data": {"a": "b"}}
    assert Resized.seen == ["/api/v1", "/api/v1", "/api/v1/namespaces/ns/configmaps/c", "/api/v1/namespaces/ns/configmaps/c"]


class Guarded(BaseHTTPRequestHandler):
    """An API server with a webhook that nobody serves."""

    hooks: ClassVar[dict[str, Any]] = {"metadata": {"name": "policy"}, "webhooks": [{"name": "policy.example.com"}]}

    def do_GET(self) -> None:
        kinds = {"/api/v1": "Service", "/apis/admissionregistration.k8s.io/v1": "ValidatingWebhookConfiguration"}
        if kind := kinds.get(self.path):
            self._answer(200, {"resources": [{"kind": kind, "name": f"{kind.lower()}s", "namespaced": kind == "Service"}]})
        else:
            self._answer(200, {"items": [self.hooks]})

    def do_DELETE(self) -> None:
        self._answer(500, {"message": 'Internal error occurred: failed calling webhook "policy.example.com": no endpoints available'})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


def test_what_a_dead_webhook_refuses_is_told_with_the_command_that_deletes_it(tmp_path):
    with serving(Guarded, tmp_path) as door, pytest.raises(StepError) as refused:
        door.delete("v1", "Service", "web", "demo")
    assert refused.value.remedy == "kubectl delete validatingwebhookconfiguration policy"
    assert refused.value.remedy in refused.value.message


def test_a_cluster_that_is_being_deleted_is_none(tmp_path):
    found = {"name": "genai", "endpoint": "https://k", "certificateAuthority": {"data": "Zm9v"}, "status": "DELETING"}
    assert not Kube(target(tmp_path), Eks(found)).exists()


def test_no_cluster_is_told_apart_from_one_that_cannot_be_seen(tmp_path):
    gone = Kube(target(tmp_path), Eks(None))
    assert not gone.exists()
    with pytest.raises(ClusterAbsent):
        gone.get("v1", "Pod", "p", "ns")
