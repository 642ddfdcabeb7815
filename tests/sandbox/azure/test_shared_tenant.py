"""A sandbox in another one's tenant: which stand-ins it uses, what is its own, and what is said when the other one is away."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.cli.worlds import sandboxes
from genai_platform.cli.worlds.sandbox_defaults import defaults
from genai_platform.config.layers import Layer, validate
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, GenaiError, MissingError
from genai_platform.sandbox import shell_exports, supervisor
from genai_platform.sandbox.azure import shared_tenant
from genai_platform.sandbox.azure.part import PART
from genai_platform.sandbox.endpoints import environment_of
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.parts import PartSpec, parts
from genai_platform.tools.azure import Azure
from tests.steps.azure_steps.world import PACE, Quiet

PLAN = [PartSpec(PART)]


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxLayout]:
    """A sandbox whose Azure stand-ins run."""
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    layout = SandboxLayout.create(tmp_path / "first" / ".genai" / "sandbox" / "world", "sandbox", pace=PACE)
    supervisor.start(layout, Quiet(), PLAN)
    yield layout
    if layout.root.exists():
        supervisor.stop(layout, PLAN)


def joined(tmp_path: Path, other: SandboxLayout, name: str = "second") -> SandboxLayout:
    tenant = shared_tenant.chosen({shared_tenant.VARIABLE: str(other.root.parent)})
    return SandboxLayout.create(tmp_path / name / ".genai" / "sandbox" / "world", "sandbox", tenant=tenant)


def target(layout: SandboxLayout) -> Target:
    """What a command works on where nothing is configured."""
    layer = Layer("sandbox default", defaults({}))
    endpoints, overlay, _ = environment_of(layout, validate([layer]).settings)
    return Target("sandbox", validate([layer, Layer("sandbox", overlay)]).settings, endpoints, layout.root.parent)


def test_it_uses_the_other_ones_stand_ins_with_a_subscription_and_a_deployer_of_its_own(first: SandboxLayout, tmp_path: Path) -> None:
    second = joined(tmp_path, first)
    own, others = target(second), target(first)
    assert own.prefix == others.prefix
    addresses = {"authority", "arm", "graph", "vault_suffix", "gateway_suffix", "probe", "probe_secret_file"}
    assert own.endpoints.azure.model_dump(include=addresses) == others.endpoints.azure.model_dump(include=addresses)
    assert own.settings.azure.tenant_id == others.settings.azure.tenant_id
    assert own.settings.azure.subscription_id != others.settings.azure.subscription_id
    assert Azure(own).identity.object_id != Azure(others).identity.object_id, "both sign in, each through its own bundle"
    assert target(SandboxLayout.open(second.root)) == own, "the subscription is asked for once"
    assert stat.S_IMODE((second.root / "azure" / "deployer.json").stat().st_mode) == 0o600
    third = target(joined(tmp_path, second, "third"))
    assert third.endpoints.azure.arm == own.endpoints.azure.arm, "who joins a sandbox that joined is in the same tenant"
    assert third.settings.azure.subscription_id != own.settings.azure.subscription_id


def test_everything_else_is_its_own(first: SandboxLayout, tmp_path: Path) -> None:
    second = joined(tmp_path, first)
    assert not set(first.ports.values()) & set(second.ports.values())
    assert [one.part.name for one in parts(second)] == [one.part.name for one in parts(first) if one.part.name != PART.name]
    variables = shell_exports.variables(second, target(second))
    assert f":{first.ports['entra']}" in variables["AZURE_AUTHORITY_HOST"]
    assert f":{second.ports['aws']}" in variables["AWS_ENDPOINT_URL"]
    bundle = Path(variables["SSL_CERT_FILE"]).read_text()
    assert first.ca_file.read_text() in bundle
    assert second.ca_file.read_text() in bundle


def test_its_end_is_no_end_of_the_other_one(first: SandboxLayout, tmp_path: Path) -> None:
    second = joined(tmp_path, first)
    target(second)
    assert not sandboxes.rests(tmp_path / "second", "sandbox"), "its folder is not all that it has"
    supervisor.remove(second)
    assert Azure(target(first)).identity


@pytest.mark.parametrize("away", ["stopped", "removed"])
def test_without_the_other_one_it_says_which_one_is_missing(first: SandboxLayout, tmp_path: Path, away: str) -> None:
    second = joined(tmp_path, first)
    shared_tenant.require(second)
    supervisor.stop(first, PLAN)
    if away == "removed":
        first.root.rename(first.root.with_name("elsewhere"))
    with pytest.raises(MissingError, match=str(first.root.parent)) as caught:
        shared_tenant.require(second)
    command = f"cd {tmp_path}/first && genai up" if away == "stopped" else f"cd {tmp_path}/second && genai sandbox remove"
    assert command in (caught.value.remedy or "")
    with pytest.raises(GenaiError, match=str(first.root.parent)):
        environment_of(second, validate([Layer("sandbox default", defaults({}))]).settings)


def test_only_a_sandbox_that_runs_can_be_joined(first: SandboxLayout, tmp_path: Path) -> None:
    assert shared_tenant.chosen({}) is None
    with pytest.raises(ConfigError, match=r"GENAI_SANDBOX_TENANT: '/nowhere' is not valid: expected the folder of an existing sandbox"):
        shared_tenant.chosen({shared_tenant.VARIABLE: "/nowhere"})
    supervisor.stop(first, PLAN)
    with pytest.raises(MissingError, match="its Azure stand-ins do not run"):
        joined(tmp_path, first)


def test_the_tenant_of_a_sandbox_does_not_change(first: SandboxLayout, tmp_path: Path) -> None:
    second = joined(tmp_path, first)
    assert joined(tmp_path, first) == second
    assert SandboxLayout.create(second.root, "sandbox") == second, "it is said once"
    with pytest.raises(ConfigError, match=f"made with the tenant of {first.root.parent} and cannot join another"):
        SandboxLayout.create(second.root, "sandbox", tenant=tmp_path)
    with pytest.raises(ConfigError, match="made with a tenant of its own and cannot join another"):
        SandboxLayout.create(first.root, "sandbox", tenant=second.root)
