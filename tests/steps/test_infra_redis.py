"""Redis' token against an AWS in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import Interrupted
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.redis import RedisStep
from genai_platform.steps.infra.secrets import SecretsStep
from tests.tools.aws_world import Quiet, secret_container, world


class Group:
    """ElastiCache with one group that takes a token beside none first; it takes SET after ROTATE only, and no token twice."""

    class exceptions:
        class ReplicationGroupNotFoundFault(Exception): ...

    def __init__(self) -> None:
        self.strategies: list[str] = []
        self.tags: dict[str, str] = {}
        self.looks_until_settled = 0
        self.fails: str | None = None

    def describe_replication_groups(self, **_: Any) -> dict[str, Any]:
        self.looks_until_settled -= 1
        busy = self.looks_until_settled > 0
        status = "modifying" if busy else "available"
        group = {"ARN": "arn", "Status": status, "AuthTokenEnabled": bool(self.strategies)}
        return {"ReplicationGroups": [group | {"AuthTokenLastModifiedDate": f"moment {len(self.strategies)}"}]}

    def list_tags_for_resource(self, ResourceName: str) -> dict[str, Any]:
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags.items()]}

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        self._perhaps_end(f"tag {Tags[0]['Value'].split()[0]}")
        self.tags |= {tag["Key"]: tag["Value"] for tag in Tags}

    def modify_replication_group(self, **asked: Any) -> None:
        strategy = asked["AuthTokenUpdateStrategy"]
        assert (strategy == "SET") == (self.strategies[-1:] == ["ROTATE"]), f"{strategy} after {self.strategies}"
        self.strategies.append(strategy)
        self.looks_until_settled = 2
        self._perhaps_end(strategy)

    def _perhaps_end(self, action: str) -> None:
        """The run is ended here."""
        if self.fails == action:
            self.fails = None
            raise Interrupted


def redis(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> tuple[Group, RedisStep]:
    secret_container(clients)
    SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
    group, real = Group(), clients.aws.client
    monkeypatch.setattr(clients.aws, "client", lambda name, region=None: group if name == "elasticache" else real(name, region))
    return group, RedisStep(clients, interval=0.01)


def test_redis_gets_its_token_and_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        assert step.observe().state is State.ABSENT
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]
        assert step.observe().state is State.PRESENT


@pytest.mark.parametrize("ended_at", ["ROTATE", "tag rotated", "SET", "tag set"])
def test_a_run_that_was_ended_sends_no_strategy_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_at: str) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        group.fails = ended_at
        with pytest.raises(Interrupted):
            step.apply(Quiet())
        group.looks_until_settled = 0
        assert step.observe().state is State.DRIFTED  # clients without a token may still come in
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]


def test_a_group_that_is_busy_with_something_else_keeps_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        group, step = redis(clients, monkeypatch)
        step.apply(Quiet())
        group.looks_until_settled = 3
        assert step.observe().state is State.DRIFTED
        assert step.apply(Quiet()) == "genai demands its token"
        assert group.strategies == ["ROTATE", "SET"]
