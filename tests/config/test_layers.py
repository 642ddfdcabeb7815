"""Which layers there are, which is stronger, and how each is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from genai_platform.config.layers import Layer, merge, project_folder, validate
from genai_platform.errors import ConfigError
from tests.config.project import Project


def test_nothing_configured_gives_defaults(project: Project) -> None:
    loaded = project.load()
    assert loaded.settings.platform.name == "genai"
    assert loaded.source(("platform", "name")) == "default"


def test_each_layer_is_stronger_than_the_one_before(project: Project) -> None:
    project.write('[platform]\nname = "file"\n[litellm]\nreplicas = 2\n[network]\nzones = 3\n[cluster]\nversion = "1.34"\n')
    project.write("[litellm]\nreplicas = 3\n[network]\nzones = 4\n", "genai.work.toml")
    environ = {"GENAI_NETWORK__ZONES": "5", "GENAI_PLATFORM__REGION": "eu-central-1"}
    loaded = project.load("work", "platform.region=us-east-1", environ=environ)
    settings = loaded.settings
    assert (settings.platform.name, settings.litellm.replicas, settings.network.zones) == ("file", 3, 5)
    assert settings.platform.region == "us-east-1"
    assert loaded.source(("platform", "name")) == "genai.toml"
    assert loaded.source(("litellm", "replicas")) == "genai.work.toml"
    assert loaded.source(("network", "zones")) == "variable GENAI_NETWORK__ZONES"
    assert loaded.source(("platform", "region")) == "--set platform.region"


def test_another_environments_overlay_is_not_read(project: Project) -> None:
    project.write("[litellm]\nreplicas = 9\n", "genai.work.toml")
    assert project.load().settings.litellm.replicas == 1


def test_a_given_overlay_wins_over_everything_a_person_gives(project: Project) -> None:
    project.write("[ingress]\nlitellm_port = 1\nlangfuse_port = 2\n")
    overlay = {"ingress": {"litellm_port": 10, "langfuse_port": 20}}
    person = project.load("default", "ingress.langfuse_port=30", environ={"GENAI_INGRESS__LITELLM_PORT": "5"}).layers
    settings = validate([*person, Layer("given", overlay)]).settings
    assert (settings.ingress.litellm_port, settings.ingress.langfuse_port) == (10, 20)


def test_tables_merge_by_key_and_lists_replace() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(base, {"a": {"y": [3]}, "c": 2}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("cluster.version=1.35", "1.35"), ('cluster.version="1.35"', "1.35"), ("cluster.version= 1.35 ", "1.35")],
)
def test_text_that_looks_like_a_number_stays_text_where_text_is_wanted(project: Project, text: str, expected: str) -> None:
    assert project.load("default", text).settings.cluster.version == expected


def test_account_numbers_survive_both_ways(project: Project) -> None:
    assert project.load("default", "aws.account_id=123456789012").settings.aws.account_id == "123456789012"
    assert project.load("default", "aws.account_id=012345678901").settings.aws.account_id == "012345678901"
    assert project.load(environ={"GENAI_AWS__ACCOUNT_ID": "123456789012"}).settings.aws.account_id == "123456789012"


def test_options_take_lists_and_tables(project: Project) -> None:
    settings = project.load("default", 'ingress.allowed_cidrs=["10.0.0.0/8"]', "azure.callers.team-a={max_budget=5}").settings
    assert settings.ingress.allowed_cidrs == ("10.0.0.0/8",)
    assert settings.azure.callers["team-a"].max_budget == 5


def test_variables_that_are_no_settings_are_left_alone(project: Project) -> None:
    assert project.load(environ={"GENAI_CACHE_DIR": "/x", "GENAI_ENV": "y", "GENAIX__A": "1"}).settings.platform.name == "genai"


@pytest.mark.parametrize("text", ["[platform", "name = ", 'a = "1', "a = 1\na = 2"])
def test_malformed_toml_is_one_clear_message(project: Project, text: str) -> None:
    message = project.write(text).refused()
    assert message.startswith("genai.toml is not valid TOML: ")
    assert "line" in message or "end of document" in message


def test_a_malformed_overlay_names_its_own_file(project: Project) -> None:
    project.write("[", "genai.work.toml")
    with pytest.raises(ConfigError, match=r"genai\.work\.toml is not valid TOML"):
        project.load("work")


def test_a_file_that_is_not_utf_8(project: Project) -> None:
    (project.folder / "genai.toml").write_bytes("名 = 1".encode("shift_jis"))
    assert "genai.toml is not UTF-8 text" in project.refused()


def test_a_byte_order_mark_does_no_harm(project: Project) -> None:
    (project.folder / "genai.toml").write_bytes(b"\xef\xbb\xbf[litellm]\nreplicas = 2\n")
    assert project.load().settings.litellm.replicas == 2


@pytest.mark.parametrize("text", ["litellm", "=3", "litellm..replicas=3", ".a=1"])
def test_an_option_without_key_or_value(project: Project, text: str) -> None:
    assert "expected section.key=value" in project.refused(text)


def test_a_variable_with_an_unknown_key_is_named(project: Project) -> None:
    message = project.refused(environ={"GENAI_PLATFORM__REGIO": "x"})
    assert message == "platform.regio: unknown key; did you mean 'region'?; allowed here: name, region (variable GENAI_PLATFORM__REGIO)"


def test_a_value_cannot_take_a_tables_place(project: Project) -> None:
    assert "network: 3 is not a table" in project.write("[network]\nzones = 2\n").refused("network=3")


def test_the_project_is_found_upward(tmp_path: Path) -> None:
    (tmp_path / "genai.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert project_folder(deep) == tmp_path
