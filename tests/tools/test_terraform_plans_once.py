"""How often ``terraform plan`` runs for a root: once where its state is compared, and never where there is none to compare."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.observe import changes, observe
from genai_platform.engine.step import Change, State
from genai_platform.errors import NeverBuilt
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import Inputs, RootStep, no_inputs
from genai_platform.tools.terraform import unfinished_run
from genai_platform.tools.terraform.client import Terraform
from genai_platform.tools.terraform.inventory import Inventory

PLANNED = {"type": "planned_change", "change": {"action": "update", "resource": {"addr": "aws_vpc.this"}}}
LOCKED = {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "Error acquiring the state lock", "detail": "held"}}


class Program:
    """A program called ``terraform`` that notes its commands and answers ``plan`` as told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log, self._answer = folder / "commands", folder / "answer"
        self.log.touch()
        self.answers([], 0)
        (folder / "bin").mkdir()
        path = folder / "bin" / "terraform"
        path.write_text(
            f"""#!/bin/sh
[ "$1" = version ] && echo "Terraform v1.14.0" && exit
echo "$1" >> {self.log}
[ "$1" = init ] && mkdir -p .terraform
[ "$1" = plan ] || exit 0
. {self._answer}
"""
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("GENAI_CACHE_DIR", str(folder / "cache"))
        (folder / "cache").mkdir()

    def answers(self, events: list[dict[str, object]], code: int) -> None:
        self._answer.write_text("".join(f"echo '{json.dumps(event)}'\n" for event in events) + f"exit {code}\n")

    @property
    def plans(self) -> int:
        return self.log.read_text().split().count("plan")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(tmp_path, monkeypatch)


class EmptyAws(Terraform):
    """Nothing in AWS carries this environment's tags."""

    def existing(self, root: str) -> Inventory:
        return Inventory((), {})


def network(folder: Path, inputs: Inputs = no_inputs, *, applied: bool) -> RootStep:
    endpoints = Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:9", access_key_id="k", secret_access_key="s"))
    target = Target("sandbox", Settings(), endpoints, folder)
    if applied:
        place = folder / "terraform" / "network"
        place.mkdir(parents=True)
        resource = {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {}}]}
        (place / "terraform.tfstate").write_text(json.dumps({"version": 4, "resources": [resource]}))
    return RootStep(Clients(target, terraform=EmptyAws(target)), "network", (), 1, inputs)


def test_a_drifted_root_is_planned_once_and_that_is_the_plan(tmp_path: Path, program: Program) -> None:
    program.answers([PLANNED], 2)
    step = network(tmp_path, applied=True)
    found = observe(step)
    assert (found.state, found.evidence) == (State.DRIFTED, "1 to change: update aws_vpc.this")
    assert changes(step.id, found) == (Change("update", "aws_vpc.this"),)
    assert program.plans == 1


def test_a_root_as_configured_is_planned_once(tmp_path: Path, program: Program) -> None:
    step = network(tmp_path, applied=True)
    assert [change.action for change in changes(step.id, observe(step))] == ["none"]
    assert program.plans == 1


def test_a_root_without_a_state_is_planned_only_for_the_plan(tmp_path: Path, program: Program) -> None:
    program.answers([PLANNED | {"change": {"action": "create", "resource": {"addr": "aws_vpc.this"}}}], 2)
    step = network(tmp_path, applied=False)
    found = observe(step)
    assert (found.state, program.plans) == (State.ABSENT, 0)
    assert changes(step.id, found) == (Change("create", "aws_vpc.this"),)
    assert program.plans == 1


def test_a_root_whose_inputs_are_not_there_yet_says_so_without_terraform(tmp_path: Path, program: Program) -> None:
    def inputs(clients: Clients) -> dict[str, object]:
        raise NeverBuilt("terraform root 'storage' was not applied yet")

    step = network(tmp_path, inputs, applied=False)
    (change,) = changes(step.id, observe(step))
    assert change == Change("create", "terraform root network", "known in detail later: terraform root 'storage' was not applied yet")
    assert program.log.read_text() == ""


def test_a_root_that_another_run_has_locked_is_not_asked_again(tmp_path: Path, program: Program) -> None:
    program.answers([LOCKED], 1)
    step = network(tmp_path, applied=True)
    found = observe(step)
    (change,) = changes(step.id, found)
    assert (found.state, change.action, change.object) == (State.DRIFTED, "update", "terraform root network")
    assert "still at work" in change.detail
    assert program.plans == 1


def test_a_look_that_waits_in_vain_for_a_run_that_goes_on_does_not_take_it_for_ended(tmp_path: Path, program: Program) -> None:
    """The command that began that run was killed, its Terraform goes on, and holds the state for longer than a look waits."""
    step = network(tmp_path, applied=True)
    folder = tmp_path / "terraform" / "network"
    program.answers([LOCKED], 1)
    with unfinished_run.marked(folder):
        assert observe(step).state is State.DRIFTED
        assert unfinished_run.running(folder)
