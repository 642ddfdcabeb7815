"""Which world a command works on, and what is looked at before anything is changed there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from genai_platform.cli.options import Options
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose, choose, sandboxes
from genai_platform.cli.worlds import sandbox as sandbox_world
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
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
    monkeypatch.setattr("genai_platform.cli.fetch_programs.provide", lambda screen, *names: happened.append("programs"))
    return happened


def enter(*sets: str, sandbox: bool = False, purpose: Purpose = Purpose.LOOK) -> Target:
    return choose(Options(set=sets, sandbox=sandbox), Screen(plain=True)).enter(purpose)


def test_another_account_is_refused_before_anything_else_happens(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match="222222222222"):
        enter('aws.account_id="111111111111"', purpose=Purpose.BUILD)
    assert asked == ["aws"]


def test_a_sandbox_whose_names_would_be_too_long_is_refused(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_world, "drop_ambient", lambda: None)
    options = Options(env="abcdefghijklmnop", sandbox=True, set=('platform.name="abcdefghijklmnop"',))
    with pytest.raises(ConfigError, match="41 characters; 36 are allowed"):
        choose(options, Screen(plain=True)).enter(Purpose.BUILD)
    assert asked == []


@pytest.mark.parametrize("name", ["a-", "a--b", "-a", "a_b", "A", "a" * 17])
def test_names_that_could_be_no_part_of_others_are_refused(asked: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match="single hyphens between"):
        _ = Options(env=name).environment
    with pytest.raises(ConfigError, match=r"platform\.name"):
        enter(f'platform.name="{name}"')


def test_a_model_on_this_machine_is_refused(asked: list[str]) -> None:
    model = 'litellm.models=[{name="a",azure_deployment="a",api_base="http://localhost:8080"}]'
    with pytest.raises(ConfigError, match="api_base points to this machine"):
        enter('aws.account_id="222222222222"', model)
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
        enter()
    assert asked == []


def test_a_chart_path_that_does_not_exist_is_seen_first(asked: list[str], tmp_path: Path) -> None:
    sets = ('aws.account_id="222222222222"', 'langfuse.chart.path="/nowhere/chart"')
    with pytest.raises(ConfigError, match="/nowhere/chart does not exist") as caught:
        enter(*sets, purpose=Purpose.BUILD)
    assert caught.value.exit_code == 2
    assert asked == []
    # What only looks, or removes, is not held up by it.
    assert enter(*sets).settings.langfuse.chart.path is not None


def test_in_a_sandbox_too_and_nothing_is_started(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_world, "drop_ambient", lambda: None)
    with pytest.raises(ConfigError, match="/nowhere/chart"):
        enter('langfuse.chart.path="/nowhere/chart"', sandbox=True, purpose=Purpose.UP)
    assert asked == []
    assert not sandboxes.folder(tmp_path, "sandbox").exists()


def test_a_half_started_sandbox_is_started_to_be_removed(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the configuration names another region by now: it is removed as what it is, and none is made anew."""
    from genai_platform.sandbox import loopback, supervisor
    from genai_platform.sandbox.layout import SandboxLayout

    monkeypatch.setattr(sandbox_world, "drop_ambient", lambda: None)
    monkeypatch.setattr(loopback, "close", lambda: None)
    monkeypatch.setattr(supervisor, "start", lambda layout, progress: asked.append(f"started {layout.region}"))
    monkeypatch.setattr(sandbox_world.Sandbox, "target_of", lambda world, layout: layout)
    elsewhere = "platform.region=eu-central-1"
    with pytest.raises(MissingError, match="there is no sandbox"):
        enter(elsewhere, sandbox=True, purpose=Purpose.DOWN)
    SandboxLayout.create(sandboxes.folder(tmp_path, "sandbox"), "sandbox", "ap-northeast-1")
    enter(elsewhere, sandbox=True, purpose=Purpose.DOWN)
    assert asked[-1] == "started ap-northeast-1"
    with pytest.raises(ConfigError, match="cannot become eu-central-1"):
        enter(elsewhere, sandbox=True, purpose=Purpose.UP)


def test_programs_are_got_for_the_right_account_only(asked: list[str]) -> None:
    enter('aws.account_id="222222222222"', purpose=Purpose.BUILD)
    assert asked == ["aws", "programs"]


def test_a_sandbox_without_its_packages_names_the_extra(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "moto" else object())
    with pytest.raises(MissingError, match="moto") as caught:
        enter(sandbox=True)
    assert "genai-platform[sandbox]" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_every_table_and_question_can_name_its_world(asked: list[str]) -> None:
    def described(*sets: str, **options: Any) -> str:
        return choose(Options(set=sets, **options), Screen(plain=True)).describe()

    account = 'aws.account_id="222222222222"'
    assert described(account, env="work") == "'work': AWS account 222222222222, ap-northeast-1"
    azure = 'azure={enabled=true, subscription_id="11111111-1111-4111-8111-111111111111", apim={unverified_backend=true}}'
    assert described(account, azure, env="work").endswith("Azure subscription 11111111-1111-4111-8111-111111111111")
    assert described(sandbox=True) == "'sandbox': sandbox on this machine"


def test_a_command_enters_its_world_once(asked: list[str]) -> None:
    run = Run(Options(set=('aws.account_id="222222222222"',)), Screen(plain=True))
    assert run.target is run.target
    assert asked == ["aws"]


# -- a sandbox's defaults ---------------------------------------------------------------------------
def settings_of(*sets: str, env: str | None = None, sandbox: bool = True) -> Settings:
    return choose(Options(env=env, set=sets, sandbox=sandbox), Screen(plain=True)).loaded.settings


def test_a_sandbox_has_models_and_a_caller_of_its_own_where_none_are_configured(asked: list[str]) -> None:
    sets = ['azure.callers.mine.models=["gpt-4o-mini"]']
    settings = settings_of(*sets)
    assert [model.name for model in settings.litellm.models] == ["gpt-4o-mini", "gpt-4o", "text-embedding-3-small"]
    assert set(settings.azure.callers) == {"mine"}
    assert settings_of(sandbox=False).litellm.models == ()
    assert settings_of().azure.enabled


def test_a_caller_of_a_sandbox_may_use_a_model_of_each_kind_that_the_person_configured(asked: list[str]) -> None:
    model = '{name="%s",azure_deployment="d",api_base="https://a.openai.azure.com"%s}'
    models = ",".join([model % ("mine", ""), model % ("other", ""), model % ("vectors", ',mode="embedding"')])
    settings = settings_of(f"litellm.models=[{models}]", env="two")
    assert settings.azure.callers["team-a"].models == ("mine", "vectors")


@pytest.mark.parametrize("text", ["litellm=1", "azure=1", "litellm.models=1", "litellm.models=[1]", "azure.callers=1"])
def test_a_fault_in_a_sandbox_is_told_as_elsewhere(asked: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=text.split("=")[0].split(".")[0]):
        settings_of(text)
