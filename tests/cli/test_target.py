"""Which world a command works on, and what is looked at before anything is changed there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genai_platform.cli import paths
from genai_platform.cli.options import Options
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import sandbox as sandboxes
from genai_platform.cli.worlds import target as targets
from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Aws, Azure, Settings
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, MissingError
from genai_platform.tools.aws import client
from genai_platform.ui.screen import Screen


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened, in order; AWS says that we are account 222222222222."""
    happened: list[str] = []

    def identity(self: client.Aws) -> dict[str, str]:
        happened.append("aws")
        return {"Account": "222222222222", "Arn": "arn"}

    for name in [name for name in os.environ if name.startswith(("GENAI_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client.Aws, "identity", identity)
    monkeypatch.setattr("genai_platform.cli.fetch_programs.provide", lambda screen, **more: happened.append("programs"))
    return happened


def resolve(*sets: str, sandbox: bool = False, start: bool = False, building: bool = False) -> Target:
    return targets.resolve(Options(set=sets, sandbox=sandbox), Screen(plain=True), start=start, building=building)


def test_another_account_is_refused_before_anything_else_happens(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match="222222222222"):
        resolve('aws.account_id="111111111111"', building=True)
    assert asked == ["aws"]


def test_a_sandbox_whose_names_would_be_too_long_is_refused(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "drop_ambient", lambda: None)
    options = Options(env="abcdefghijklmnop", sandbox=True, set=('platform.name="abcdefghijklmnop"',))
    with pytest.raises(ConfigError, match="41 characters; 36 are allowed"):
        targets.resolve(options, Screen(plain=True), building=True)
    assert asked == []


@pytest.mark.parametrize("name", ["a-", "a--b", "-a", "a_b", "A", "a" * 17])
def test_names_that_could_be_no_part_of_others_are_refused(asked: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match="single hyphens between"):
        _ = Options(env=name).environment
    with pytest.raises(ConfigError, match=r"platform\.name"):
        resolve(f'platform.name="{name}"')


def test_a_model_on_this_machine_is_refused(asked: list[str]) -> None:
    model = 'litellm.models=[{name="a",azure_deployment="a",api_base="http://localhost:8080"}]'
    with pytest.raises(ConfigError, match="api_base points to this machine"):
        resolve('aws.account_id="222222222222"', model)
    assert asked == []


def test_a_profile_that_leads_to_this_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://localhost:4566\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ConfigError, match="the AWS profile sends sts to this machine"):
        client.Aws(Target("default", Settings(), Endpoints(), tmp_path)).client("sts")


def test_no_pinned_account_is_refused(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"aws\.account_id is not set"):
        resolve()
    assert asked == []


def test_a_chart_path_that_does_not_exist_is_seen_first(asked: list[str], tmp_path: Path) -> None:
    sets = ('aws.account_id="222222222222"', 'langfuse.chart.path="/nowhere/chart"')
    with pytest.raises(ConfigError, match="/nowhere/chart does not exist") as caught:
        resolve(*sets, building=True)
    assert caught.value.exit_code == 2
    assert asked == []
    # What only looks, or removes, is not held up by it.
    assert resolve(*sets).settings.langfuse.chart.path is not None


def test_in_a_sandbox_too_and_nothing_is_started(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "drop_ambient", lambda: None)
    with pytest.raises(ConfigError, match="/nowhere/chart"):
        resolve('langfuse.chart.path="/nowhere/chart"', sandbox=True, start=True, building=True)
    assert asked == []
    assert not paths.world_folder(tmp_path, "sandbox").exists()


def test_a_half_started_sandbox_is_started_to_be_removed(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the configuration names another region by now: it is removed as what it is, and none is made anew."""
    from genai_platform.sandbox import loopback, supervisor
    from genai_platform.sandbox.layout import SandboxLayout

    monkeypatch.setattr(sandboxes, "drop_ambient", lambda: None)
    monkeypatch.setattr(loopback, "close", lambda: None)
    monkeypatch.setattr(supervisor, "start", lambda layout, progress: asked.append(f"started {layout.region}"))
    monkeypatch.setattr(sandboxes, "place_target", lambda options, layout, configured: layout)
    elsewhere = "platform.region=eu-central-1"
    with pytest.raises(MissingError, match="there is no sandbox"):
        resolve(elsewhere, sandbox=True, start=True)
    SandboxLayout.create(paths.world_folder(tmp_path, "sandbox"), "sandbox", "ap-northeast-1")
    resolve(elsewhere, sandbox=True, start=True)
    assert asked[-1] == "started ap-northeast-1"
    with pytest.raises(ConfigError, match="cannot become eu-central-1"):
        resolve(elsewhere, sandbox=True, start=True, building=True)


def test_programs_are_got_for_the_right_account_only(asked: list[str]) -> None:
    resolve('aws.account_id="222222222222"', building=True)
    assert asked == ["aws", "programs"]


def test_a_sandbox_without_its_packages_names_the_extra(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "moto" else object())
    with pytest.raises(MissingError, match="moto") as caught:
        resolve(sandbox=True)
    assert "genai-platform[sandbox]" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_every_table_and_question_can_name_its_world(asked: list[str]) -> None:
    real = Target("work", Settings(aws=Aws(account_id="222222222222")), Endpoints(), Path())
    assert targets.words(real) == "'work': AWS account 222222222222, ap-northeast-1"
    tenant = {"enabled": True, "subscription_id": "11111111-1111-4111-8111-111111111111"}
    both = Target("work", Settings(aws=Aws(account_id="222222222222"), azure=Azure.model_validate(tenant)), Endpoints(), Path())
    assert targets.words(both).endswith("Azure subscription 11111111-1111-4111-8111-111111111111")
    sandbox = Target("sandbox", Settings(), Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:1")), Path())
    assert targets.words(sandbox) == "'sandbox': sandbox on this machine"


def test_a_command_enters_its_world_once(asked: list[str]) -> None:
    run = Run(Options(set=('aws.account_id="222222222222"',)), Screen(plain=True))
    assert run.target is run.target
    assert asked == ["aws"]
