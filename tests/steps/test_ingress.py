"""The door of an application, in a cluster that is a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import Interrupted
from genai_platform.steps.doors import Doors
from genai_platform.steps.ingress import ingress_step


class Cluster:
    """One ingress, and what was said about it."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {}}

    def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        assert (kind, name) == ("Ingress", "litellm")
        return [{"type": "Normal", "reason": "Added"}, {"type": "Warning", "reason": "FailedBuildModel", "message": "no subnet"}]


class Impatient:
    """Stops after the first word."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        if self.said:
            raise Interrupted


def test_the_wait_for_an_address_says_what_the_controller_complains_about() -> None:
    doors = Doors(Target("default", Settings(), Endpoints(), Path("nowhere")), kube=Cluster())  # type: ignore[arg-type]
    progress = Impatient()
    with pytest.raises(Interrupted):
        ingress_step(doors, "litellm.ingress", (), "litellm", list).settle(progress)
    assert progress.said == ["ingress litellm: waiting for the load balancer's address; last event: FailedBuildModel: no subnet"]
