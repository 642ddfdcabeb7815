"""The endpoint of a young cluster, met by the product's own client: no name, then nobody there, then 401, then the API server."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.step import Observation, State
from genai_platform.errors import StepError
from genai_platform.sandbox import ca
from genai_platform.sandbox.aws.eks_endpoint import Endpoint
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import EKS_ACCESS_ENTRY, EKS_ENDPOINT_LISTENS, EKS_ENDPOINT_NAME
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import cluster_endpoint
from genai_platform.steps.infra.terraform import ClusterStep
from genai_platform.tools.kubernetes.client import ClusterAbsent, Kube
from tests.tools.aws_world import Quiet

LISTENS = EKS_ENDPOINT_NAME.seconds
ADMITS = LISTENS + EKS_ENDPOINT_LISTENS.seconds
SERVES = ADMITS + EKS_ACCESS_ENTRY.seconds


class ApiServer(BaseHTTPRequestHandler):
    """Ready, with one namespace."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"kind": "Namespace"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


class Eks:
    """EKS with one cluster, or none."""

    def __init__(self) -> None:
        self.status: str | None = "ACTIVE"
        self.created = datetime.now(UTC)

    def describe_cluster(self, name: str) -> dict[str, Any] | None:
        if self.status is None:
            return None
        return {"name": name, "endpoint": "https://k", "status": self.status, "createdAt": self.created}


class Applied:
    """Terraform whose root stands as configured."""

    def observe(self, root: str, variables: Any) -> Observation:
        return Observation(State.PRESENT, "all of it")

    def apply(self, root: str, variables: Any, progress: Any, timeout: float) -> str:
        return "applied"


class Listening(Quiet):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxLayout]:
    """A place at the pace of the real service, and an API server in it."""
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    layout = SandboxLayout.create(tmp_path / "world", "sandbox-test", pace=1.0)
    server = ThreadingHTTPServer(("127.0.0.1", layout.ports["kubernetes"]), ApiServer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.issue(layout, ["localhost", "127.0.0.1"]))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield layout
    server.shutdown()
    server.server_close()


@pytest.fixture
def endpoint(layout: SandboxLayout) -> Iterator[Endpoint]:
    endpoint = Endpoint(layout)
    yield endpoint
    endpoint.closed()


def clients(layout: SandboxLayout, eks: Eks) -> Clients:
    target = Target("default", Settings(), Endpoints(kubeconfig=layout.endpoint_kubeconfig), layout.root)
    return Clients(target, aws=eks, kube=Kube(target, eks), terraform=Applied())  # type: ignore[arg-type]


def test_the_endpoint_comes_step_by_step_and_one_door_sees_it_all(layout: SandboxLayout, endpoint: Endpoint) -> None:
    api = clients(layout, Eks()).kube
    seen = []
    for age in (0, LISTENS + 1, ADMITS + 1, SERVES + 1):
        endpoint.opened(time.time() - age)
        seen.append(wait_for_change(api, seen))
        endpoint.closed()
    assert "name does not resolve" in str(seen[0])
    assert "connection refused" in str(seen[1])
    assert "401" in str(seen[2])
    assert seen[3] is None


def wait_for_change(api: Kube, seen: list[str | None]) -> str | None:
    """What the client says once the endpoint has taken its next step."""
    until = time.monotonic() + 30
    while (found := api.not_ready()) in seen and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_a_young_cluster_is_waited_for_and_what_it_lacks_is_said(
    layout: SandboxLayout, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ClusterStep(clients(layout, Eks()), "cluster", (), 1, lambda _: {})
    endpoint.opened(time.time() - ADMITS - 1)
    assert step.observe().state is State.DRIFTED
    monkeypatch.setattr(cluster_endpoint, "_LIMIT", 0)
    with pytest.raises(StepError, match="401"):
        step.apply(Quiet())
    monkeypatch.undo()
    progress = Listening()
    admit = threading.Timer(0.5, lambda: (endpoint.closed(), endpoint.opened(time.time() - SERVES - 1)))
    admit.start()
    assert step.apply(progress) == "applied"
    assert any("401" in line for line in progress.said)
    assert step.observe().state is State.PRESENT


def test_a_cluster_that_is_not_young_fails_at_once_with_its_cause(
    layout: SandboxLayout, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(cluster_endpoint, "_LIMIT", 0)
    eks = Eks()
    eks.created -= timedelta(seconds=cluster_endpoint.YOUNG + 1)
    reach = clients(layout, eks)
    progress = Listening()
    cluster_endpoint.wait(reach, progress)
    assert progress.said == []
    with pytest.raises(StepError, match="name does not resolve"):
        reach.kube.get("v1", "Namespace", "default")


@pytest.mark.parametrize("status", [None, "DELETING"])
def test_without_a_cluster_in_eks_there_is_nothing_to_look_into(layout: SandboxLayout, endpoint: Endpoint, status: str | None) -> None:
    eks = Eks()
    eks.status = status
    api = clients(layout, eks).kube
    assert not api.exists()
    with pytest.raises(ClusterAbsent):
        api.not_ready()
