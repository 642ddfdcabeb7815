"""A command line whose steps are fakes, in a folder of its own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from genai_platform.cli import app as cli
from genai_platform.cli.paths import state_folder
from genai_platform.cli.worlds import Purpose
from genai_platform.cli.worlds.clouds import Clouds
from genai_platform.cli.worlds.sandbox import Sandbox
from genai_platform.config.target import Target
from genai_platform.engine.graph import Graph
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.leftovers.items import Item
from genai_platform.tools.kubernetes.foreign import Foreign, Listing
from tests import schemas
from tests.worlds import FakeStep, World

# Typer's runner would build all commands for each invocation: a third of these tests' time.
typer.testing._get_command = lambda _: schemas.command_line()  # type: ignore[attr-defined]

AZURE = """
[aws]
account_id = "123456789012"
[azure]
enabled = true
tenant_id = "00000000-0000-0000-0000-000000000001"
subscription_id = "00000000-0000-0000-0000-000000000002"
[azure.apim]
unverified_backend = true
[[litellm.models]]
name = "gpt-4o"
azure_deployment = "gpt-4o"
api_base = "https://a.openai.azure.com"
"""
"""A configuration with both halves and one model."""


@dataclass
class Answer:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document on standard output."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        assert content["schema"] == 1
        return content


@dataclass
class Leftover:
    kind: str
    id: str
    usd_per_hour: float
    remove: str


@dataclass
class Audit:
    leftovers: list[Leftover] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


@dataclass
class Ec2:
    """The VPC, which exists with ``infra.network``, and its tags."""

    world: World
    tags: dict[str, str] = field(default_factory=dict)
    denied: bool = False
    """Whether the identity in use may not look at it."""
    silent: threading.Event | None = None
    """Looks wait until it is set."""

    def describe_vpcs(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        if self.silent:
            self.silent.wait(60)
        if self.denied:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "not yours"}}, "DescribeVpcs")
        if "infra.network" not in self.world.there:
            self.tags.clear()
            return {"Vpcs": []}
        return {"Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()]}]}

    def create_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        assert Resources == ["vpc-1"]
        self.tags |= {tag["Key"]: tag["Value"] for tag in Tags}


@dataclass
class Shell:
    """Runs commands in the project's folder."""

    folder: Path
    world: World
    ec2: Ec2
    audit: Audit = field(default_factory=Audit)
    foreign: list[Foreign] = field(default_factory=list)
    """What other people put into the cluster."""
    others: list[Item] = field(default_factory=list)
    """What other people put into its network."""
    left: list[str] = field(default_factory=list)
    """What a cluster that is gone left in AWS, deleted when ``down`` has removed it."""
    unconfigured: list[FakeStep] = field(default_factory=list)
    """What exists of an earlier configuration."""

    def __call__(self, *arguments: str, input: str | None = None) -> Answer:
        result = CliRunner().invoke(cli.app, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        if "--json" in arguments:
            schemas.valid(arguments, answer.document)
        return answer


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Shell:
    for name in [name for name in os.environ if name.startswith(("GENAI_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / ".cache"))  # prices that somebody fetched are not in it
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genai.toml").write_text('[aws]\naccount_id = "123456789012"\n')
    shell = Shell(tmp_path, world, Ec2(world))
    aws_client = Aws.client
    graph = Graph(
        [
            world.step("infra.network", minutes=3),
            world.step("infra.cluster", "infra.network", minutes=12),
            world.step("litellm.proxy", "infra.cluster", minutes=2),
            world.step("langfuse.chart", "infra.cluster", minutes=5),
            world.step("patch.disk", "langfuse.chart", minutes=1),
        ]
    )

    def enter(world: Clouds | Sandbox, purpose: Purpose) -> Target:
        state_folder(tmp_path, world.environment)
        return world.configured

    _replace(monkeypatch, "genai_platform.cli.worlds.clouds.Clouds.enter", enter)
    _replace(monkeypatch, "genai_platform.cli.worlds.sandbox.Sandbox.enter", enter)
    _replace(monkeypatch, "genai_platform.steps.catalog.build", lambda clients: graph)
    _replace(monkeypatch, "genai_platform.steps.catalog.with_unconfigured", lambda graph, clients: Graph([*graph, *shell.unconfigured]))
    _replace(monkeypatch, "genai_platform.steps.clients.Clients.address", lambda clients, name: f"https://{name}.example.com")
    _replace(
        monkeypatch,
        "genai_platform.tools.aws.client.Aws.client",
        lambda aws, name, region=None: shell.ec2 if name == "ec2" else aws_client(aws, name, region),
    )
    _replace(monkeypatch, "genai_platform.cli.fetch_programs.provide", lambda screen, *names: None)
    _replace(monkeypatch, "genai_platform.cli.preflight.world", lambda run, selection: None)
    _replace(monkeypatch, "genai_platform.cli.preflight.states", lambda clients: None)
    _replace(monkeypatch, "genai_platform.cli.audit.look", lambda run: shell.audit)
    _replace(monkeypatch, "genai_platform.steps.infra.foreign.look", lambda clients: Listing(tuple(shell.foreign), ()))
    _replace(monkeypatch, "genai_platform.steps.infra.foreign.unblock", lambda kube: [str(one) for one in shell.foreign if one.dead])
    _replace(monkeypatch, "genai_platform.tools.kubernetes.client.Kube.exists", lambda kube: True)
    _replace(monkeypatch, "genai_platform.steps.infra.orphans.balancers", lambda clients: [])
    _replace(monkeypatch, "genai_platform.steps.infra.orphans.of_others", lambda clients: shell.others)
    _replace(monkeypatch, "genai_platform.steps.infra.orphans.finish", lambda clients, progress: shell.left)
    return shell


def _replace(monkeypatch: pytest.MonkeyPatch, name: str, value: Callable[..., Any]) -> None:
    monkeypatch.setattr(name, value)
