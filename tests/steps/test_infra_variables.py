"""What Terraform's roots are given: to make them, and to remove them when only their state is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import PLACEHOLDERS, RootStep, public_access
from genai_platform.tools.terraform.client import ROOTS
from tests.tools.aws_world import Quiet


class Remembering:
    """Terraform with the variables of an earlier run, that writes down what it is asked to destroy with."""

    def __init__(self, remembered: dict[str, Any]) -> None:
        self.remembered = remembered
        self.got: dict[str, Any] = {}

    def variables(self, root: str) -> dict[str, Any]:
        return dict(self.remembered)

    def recover(self, root: str, variables: Any, progress: Any, *, strict: bool) -> None:
        """Its state knows everything that exists."""

    def destroy(self, root: str, variables: dict[str, Any], progress: Any, timeout: float) -> str:
        self.got = variables
        return "gone"


def destroyed(folder: Path, remembered: dict[str, Any], now: dict[str, Any] | None) -> dict[str, Any]:
    def inputs(clients: Clients) -> dict[str, Any]:
        if now is None:
            raise StepError("the network is gone")
        return now

    terraform = Remembering(remembered)
    clients = Clients(Target("work", Settings(), Endpoints(), folder), terraform=terraform)  # type: ignore[arg-type]
    RootStep(clients, "data", (), 1, inputs).destroy(Quiet())
    return terraform.got


def test_destroying_uses_what_was_written_down_when_the_network_is_gone(tmp_path: Path) -> None:
    got = destroyed(tmp_path, {"vpc_id": "vpc-1", "private_subnet_cidrs": ["10.1.0.0/24", "10.1.1.0/24"]}, None)
    assert (got["vpc_id"], got["private_subnet_cidrs"]) == ("vpc-1", ["10.1.0.0/24", "10.1.1.0/24"])
    assert got["prefix"] == "genai-work"


@pytest.mark.parametrize("now", [None, {"vpc_id": None, "private_subnet_cidrs": [], "private_subnet_ids": ["subnet-1"]}])
def test_destroying_after_a_half_failed_run_has_valid_variables(tmp_path: Path, now: dict[str, Any] | None) -> None:
    got = destroyed(tmp_path, {}, now)
    assert got["vpc_id"]
    assert len(got["private_subnet_cidrs"]) >= 2
    assert len(got["private_subnet_ids"]) >= 2
    assert got["secret_id"]


@pytest.mark.parametrize("root", ROOTS)
def test_there_is_a_placeholder_for_every_variable_without_default(root: Any) -> None:
    import re

    text = (Path(__file__).parents[2] / "terraform" / root / "variables.tf").read_text()
    blocks = re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    needed = {name for name, body in blocks if not re.search(r"^  default ", body, re.MULTILINE)}
    assert needed - {"region", "account_id", "prefix", "tags"} <= set(PLACEHOLDERS[root])


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({}, ["0.0.0.0/0"]),
        ({"ingress": {"allowed_cidrs": ["203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32"]}}, ["203.0.113.0/24"]),
        ({"ingress": {"allowed_cidrs": ["10.0.0.0/8"]}}, ["0.0.0.0/0"]),
        ({"ingress": {"allowed_cidrs": ["203.0.113.0/24"]}, "cluster": {"public_access_cidrs": ["198.51.100.7/32"]}}, ["198.51.100.7/32"]),
    ],
)
def test_who_may_reach_the_kubernetes_api(tables: dict[str, Any], expected: list[str]) -> None:
    assert public_access(Settings.model_validate(tables)) == expected


def test_a_private_network_is_no_public_one() -> None:
    with pytest.raises(ValueError, match="public IPv4 network"):
        Settings.model_validate({"cluster": {"public_access_cidrs": ["10.0.0.0/8"]}})
