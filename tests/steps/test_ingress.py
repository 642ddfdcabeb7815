"""The door of an application, in a cluster that is a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import Interrupted
from genai_platform.steps.clients import Clients
from genai_platform.steps.ingress import ingress_step
from tests.tools.aws_world import Impatient


class Cluster:
    """One ingress, and what was said about it."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {}}

    def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        assert (kind, name) == ("Ingress", "litellm")
        return [{"type": "Normal", "reason": "Added"}, {"type": "Warning", "reason": "FailedBuildModel", "message": "no subnet"}]


def test_the_wait_for_an_address_says_what_the_controller_complains_about() -> None:
    clients = Clients(Target("default", Settings(), Endpoints(), Path("nowhere")), kube=Cluster())  # type: ignore[arg-type]
    progress = Impatient()
    with pytest.raises(Interrupted):
        ingress_step(clients, "litellm.ingress", (), "litellm", list).settle(progress)
    assert progress.said == ["ingress litellm: waiting for the load balancer's address; last event: FailedBuildModel: no subnet"]


class Shared(Cluster):
    """Two ingresses of one load balancer."""

    def __init__(self, litellm: str, langfuse: str) -> None:
        self.networks = {"litellm": litellm, "langfuse": langfuse}

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        annotations = {"alb.ingress.kubernetes.io/inbound-cidrs": self.networks[name]}
        return {"metadata": {"name": name, "annotations": annotations}, "status": {}}

    def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        return []

    def patch(self, api_version: str, kind: str, name: str, namespace: str, body: dict[str, Any], strategy: str) -> None:
        assert strategy == "merge"
        self.networks[name] = body["metadata"]["annotations"]["alb.ingress.kubernetes.io/inbound-cidrs"]


@pytest.mark.parametrize(("domain", "langfuse"), [("genai.example.com", "198.51.100.7/32"), (None, "203.0.113.9/32")])
def test_what_shares_a_port_admits_the_same_networks(domain: str | None, langfuse: str) -> None:
    """One of them applied from a new address would otherwise leave the load balancer with two lists for its port 443."""
    cluster = Shared("198.51.100.7/32", "203.0.113.9/32")
    settings = Settings.model_validate({"ingress": {"domain": domain}})
    clients = Clients(Target("default", settings, Endpoints(), Path("nowhere")), kube=cluster)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        ingress_step(clients, "litellm.ingress", (), "litellm", list).settle(Impatient())
    assert cluster.networks == {"litellm": "198.51.100.7/32", "langfuse": langfuse}
