"""What is looked at before anything is changed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genai_platform.cli import preflight
from genai_platform.cli.preflight import states
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.models import AzureModel, Litellm
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.graph import Selection
from genai_platform.errors import ConfigError, MissingError
from genai_platform.steps.catalog import build
from genai_platform.steps.clients import Clients
from tests.cli.conftest import Shell
from tests.tools.aws_world import world as aws_world
from tests.worlds import World


class Account:
    """An AWS account: its zones, and the secrets that were stored."""

    def __init__(self, *, stored: dict[str, str] | None = None, zones: int = 3) -> None:
        self.stored, self._zones = stored, zones

    def secret_document(self) -> dict[str, Any] | None:
        return None if self.stored is None else {"upstream_keys": self.stored}

    def credentials_end(self) -> None:
        return None

    def zones(self) -> list[str]:
        return [f"zone-{number}" for number in range(self._zones)]


class States:
    """Terraform's states, of which some cannot be read."""

    def __init__(self, damaged: str | None = None) -> None:
        self.state, self._damaged = self, damaged

    def read(self, root: str) -> None:
        if root == self._damaged:
            raise MissingError(f"the state of {root} is damaged", remedy="restore it", id="terraform.state")


def clients(account: Account, damaged: str | None = None) -> Clients:
    models = tuple(
        AzureModel(name=name, azure_deployment=name, api_base="https://a.example.com", api_key_env=f"{name.upper()}_KEY")
        for name in ("a", "b", "c")
    )
    target = Target("default", Settings(litellm=Litellm(models=models)), Endpoints(), Path("/nowhere"))
    return Clients(target, aws=account, terraform=States(damaged))  # type: ignore[arg-type]


def test_every_key_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "x")
    for name in ("B_KEY", "C_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingError) as caught:
        preflight.keys(clients(Account()))
    assert "B_KEY" in caught.value.message
    assert "C_KEY" in caught.value.message
    assert "A_KEY" not in caught.value.message
    preflight.keys(clients(Account(stored={"B_KEY": "kept", "C_KEY": "kept"})))  # what was stored once need not be given again


def test_a_region_with_too_few_zones() -> None:
    with pytest.raises(ConfigError, match=r"network\.zones: 2 is not allowed; ap-northeast-1 has 1 zones"):
        preflight.zones(clients(Account(zones=1)))


def test_a_zone_in_which_eks_puts_no_control_plane_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_world(tmp_path, monkeypatch, platform={"region": "us-east-1"}) as found:
        zones = found.aws.client("ec2").describe_availability_zones()["AvailabilityZones"]
        (without,) = [zone["ZoneName"] for zone in zones if zone["ZoneId"] == "use1-az3"]
        assert preflight.zones(found) == len(zones) - 1
        assert without not in found.aws.zones()


def test_only_what_is_to_be_made_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("genai_platform.steps.azure.prerequisites.refuse", asked.append)
    for name in ("A_KEY", "B_KEY", "C_KEY"):
        monkeypatch.delenv(name, raising=False)
    seen = clients(Account(zones=1))
    run: Any = SimpleNamespace(clients=seen, graph=build(seen))
    preflight.world(run, Selection(("litellm.proxy",)))
    assert asked == []
    preflight.world(run, Selection(("azure.vault",)))
    assert asked == [run.clients]
    with pytest.raises(ConfigError):
        preflight.world(run, Selection(("infra.network",)))
    with pytest.raises(MissingError):
        preflight.world(run, Selection(("infra.secrets",)))


def test_a_damaged_state_is_exit_code_3() -> None:
    with pytest.raises(MissingError, match="network is damaged"):
        preflight.states(clients(Account(), damaged="network"))


def test_up_does_not_begin_with_a_damaged_state() -> None:
    seen = clients(Account(), damaged="network")
    run: Any = SimpleNamespace(clients=seen, graph=build(seen))
    with pytest.raises(MissingError, match="network is damaged"):
        preflight.world(run, Selection(("litellm.proxy",)))


def test_nor_does_down(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "states", states)
    world.there = {"infra.network"}
    folder = shell.folder / ".genai" / "default" / "terraform" / "network"
    folder.mkdir(parents=True)
    (folder / "terraform.tfstate").write_text("{")
    answer = shell("down", "--yes")
    assert (answer.code, world.there) == (3, {"infra.network"})
    assert "it is damaged" in answer.err
