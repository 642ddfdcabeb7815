"""The end of LiteLLM's rollout: the load balancer serves it, not only its pods are ready."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps import litellm, serving
from genai_platform.steps.clients import Clients

DATA = DataOutputs(
    postgres_cluster_id="c", postgres_host="db", postgres_port=5432, postgres_admin="a", redis_replication_group_id="r",
    redis_host="redis", redis_port=6379,
)  # fmt: skip


class Balancer(http.server.BaseHTTPRequestHandler):
    """Has no healthy target for the first questions."""

    unready = 0
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = b'{"keys": [], "total_pages": 1}'
        self.send_response(503 if len(self.asked) <= self.unready else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def balancer() -> Iterator[tuple[type[Balancer], int]]:
    made = type("Made", (Balancer,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made, server.server_address[1]
    server.shutdown()
    server.server_close()


class Cluster:
    """A Deployment that is rolled out, and an ingress with an address."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        counts = dict.fromkeys(("updatedReplicas", "availableReplicas", "replicas", "readyReplicas"), 1)
        status = {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}, "observedGeneration": 1, **counts}
        return {"kind": kind, "metadata": {"name": name, "generation": 1}, "spec": {"replicas": 1}, "status": status}


class Aws:
    def my_address(self) -> str:
        return "198.51.100.7/32"


class Built(Clients):
    """What earlier steps made."""

    def data(self) -> DataOutputs:
        return DATA

    def secrets(self) -> PlatformSecrets:
        return PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr("upstream-1")})


class Said(list[str]):
    def say(self, text: str) -> None:
        self.append(text)

    def check(self) -> None: ...


def clients(port: int, **ingress: Any) -> Clients:
    models = [{"name": "m", "azure_deployment": "m", "api_base": "https://a.example"}]
    settings = Settings.model_validate({"ingress": {"tls": "none", "litellm_port": port, **ingress}, "litellm": {"models": models}})
    return Built(Target("default", settings, Endpoints(), Path("nowhere")), kube=Cluster(), aws=Aws())  # type: ignore[arg-type]


def rolled_out(given: Clients, progress: Said) -> str:
    (step,) = [step for step in litellm.steps(given) if step.id == "litellm.proxy"]
    return step.settle(progress)


def test_a_rollout_ends_when_the_load_balancer_serves(balancer: tuple[type[Balancer], int]) -> None:
    handler, port = balancer
    handler.unready = 2
    said = Said()
    assert rolled_out(clients(port), said) == "1/1 pods ready and served"
    assert handler.asked == ["/health/liveliness"] * 3
    assert said == [f"waiting until the load balancer serves http://localhost:{port}: it answers 503"]


def test_a_machine_that_is_not_admitted_does_not_wait(balancer: tuple[type[Balancer], int]) -> None:
    handler, port = balancer
    assert "does not admit this machine" in rolled_out(clients(port, allowed_cidrs=["203.0.113.0/24"]), Said())
    assert handler.asked == []


def test_an_admitted_one_does(balancer: tuple[type[Balancer], int]) -> None:
    handler, port = balancer
    rolled_out(clients(port, allowed_cidrs=["198.51.100.0/24"]), Said())
    assert handler.asked


def test_a_load_balancer_that_never_serves_is_named_with_what_it_answers(balancer: tuple[type[Balancer], int]) -> None:
    handler, port = balancer
    handler.unready = 1000
    with pytest.raises(StepError, match=f"gave up after 0 s: waiting until the load balancer serves .*:{port}: it answers 503"):
        serving.wait_served(clients(port), "litellm", "/", Said(), limit=0.1)


def test_a_load_balancer_that_nobody_can_reach_yet_is_waited_for(balancer: tuple[type[Balancer], int]) -> None:
    """Its name resolves, and its listener opens, minutes after it was made."""
    _, port = balancer
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening: a connection is refused
        with pytest.raises(StepError, match=r"gave up .*ConnectError"):
            serving.wait_served(clients(nobody.getsockname()[1]), "litellm", "/", Said(), limit=0.1)
    serving.wait_served(clients(port), "litellm", "/", Said(), limit=0.1)


def test_the_key_steps_ask_again_while_the_load_balancer_has_no_target(balancer: tuple[type[Balancer], int]) -> None:
    handler, port = balancer
    handler.unready = 2
    assert clients(port).litellm_admin().keys() == []
    assert len(handler.asked) == 3


def test_steps_that_go_through_the_load_balancer_come_after_it() -> None:
    from genai_platform.steps.azure.callers.step import CallersStep
    from genai_platform.steps.azure.shared_key import SharedKeyStep

    for step in (CallersStep, SharedKeyStep):
        assert {"litellm.proxy", "litellm.ingress"} <= set(step.needs)
    (proxy,) = [step for step in litellm.steps(clients(1)) if step.id == "litellm.proxy"]
    assert "litellm.ingress" in proxy.needs


class HealthChecks:
    """The load balancer's API: its target groups, and what their health checks say."""

    def __init__(self, **groups: list[dict[str, str]]) -> None:
        self.groups = {name.replace("_", "-"): targets for name, targets in groups.items()}
        self.denied = False

    def get_paginator(self, name: str) -> Any:
        found = {"LoadBalancers": [{"LoadBalancerArn": "arn", "LoadBalancerName": "k8s", "DNSName": "localhost"}]}
        return type("Pages", (), {"paginate": lambda self: [found]})()

    def describe_tags(self, ResourceArns: list[str]) -> Any:
        return {"TagDescriptions": [{"ResourceArn": "arn", "Tags": [{"Key": "eks:eks-cluster-name", "Value": "genai"}]}]}

    def describe_target_groups(self, LoadBalancerArn: str) -> Any:
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "DescribeTargetGroups")
        return {"TargetGroups": [{"TargetGroupName": name, "TargetGroupArn": name} for name in self.groups]}

    def describe_target_health(self, TargetGroupArn: str) -> Any:
        return {"TargetHealthDescriptions": [{"TargetHealth": health} for health in self.groups[TargetGroupArn]]}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            [{"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": "failed with these codes: [500]"}],
            "it answers 503; target of k8s-genai-litellm-1: unhealthy: Target.ResponseCodeMismatch: failed with these codes: [500]",
        ),
        ([], "it answers 503; target group k8s-genai-litellm-1 has no target yet"),
        ([{"State": "healthy"}], "it answers 503"),
        (None, "it answers 503"),
    ],
)
def test_a_load_balancer_that_takes_long_says_what_its_health_checks_see(
    balancer: tuple[type[Balancer], int], monkeypatch: pytest.MonkeyPatch, target: Any, told: str
) -> None:
    handler, port = balancer
    handler.unready = 1000
    monkeypatch.setattr(serving, "EXPECTED", 0.0)
    checks = HealthChecks(k8s_genai_litellm_1=target or [], k8s_genai_langfuse_1=[{"State": "unhealthy"}])
    checks.denied = target is None
    given = clients(port)
    monkeypatch.setattr(Aws, "client", lambda aws, name: checks, raising=False)
    said = Said()
    with pytest.raises(StepError):
        serving.wait_served(given, "litellm", "/", said, limit=0)
    assert said[0].endswith(told)
