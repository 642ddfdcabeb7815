"""The first objects of a cluster: Auto Mode brings the kind of one of them, in its own time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import kubernetes as infra_kubernetes
from genai_platform.tools.wait import wait_for

ESTABLISHED = {"status": {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]}}
YOUNG = {"status": {"conditions": [{"type": "NamesAccepted", "status": "True"}]}}


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def check(self) -> None: ...


class Cluster:
    """A cluster whose definition of IngressClassParams is looked at once for each answer; the last one stays."""

    def __init__(self, *answers: dict[str, Any] | None) -> None:
        self.answers = list(answers)
        self.applied: list[str] = []

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        assert (kind, name) == ("CustomResourceDefinition", "ingressclassparams.eks.amazonaws.com")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def apply(self, document: dict[str, Any]) -> None:
        assert len(self.answers) == 1, "applied before the kind was served"
        self.applied.append(document["kind"])


def step(cluster: Cluster, version: str = "1.5.41") -> infra_kubernetes.Objects:
    settings = Settings.model_validate({"ingress": {"tls": "none"}, "langfuse": {"chart": {"version": version}}})
    return infra_kubernetes.step(Clients(Target("t", settings, Endpoints(), Path("/nowhere")), kube=cast(Any, cluster)))


def test_nothing_is_applied_before_the_cluster_serves_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_kubernetes, "wait_for", partial(wait_for, interval=0.0))
    cluster, said = Cluster(None, YOUNG, ESTABLISHED), Said()
    step(cluster).apply(said)
    assert "IngressClassParams" in cluster.applied
    assert any("waiting for EKS Auto Mode" in line for line in said.lines)


def test_a_kind_that_never_comes_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_kubernetes, "_CRD_LIMIT", 0)
    cluster = Cluster(None)
    with pytest.raises(StepError, match="gave up after 0 s: waiting for EKS Auto Mode to serve IngressClassParams"):
        step(cluster).apply(Said())
    assert cluster.applied == []
