from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from genai_platform.config import azure_models
from genai_platform.config.layers import Layer, Loaded, load, merge, project_folder, validate
from genai_platform.errors import ConfigError


class Project:
    """A folder with configuration files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "genai.toml") -> Project:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self

    def load(self, environment: str = "default", *sets: str, environ: Mapping[str, str] | None = None) -> Loaded:
        return load(self.folder, environment, sets=sets, environ=environ or {})

    def refused(self, *sets: str, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(ConfigError) as caught:
            self.load("default", *sets, environ=environ)
        assert caught.value.exit_code == 2
        return caught.value.message


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


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


def test_every_fault_is_told_at_once(project: Project) -> None:
    project.write(
        """
[platform]
nmae = "x"
region = "tokyo"
[netwrk]
zones = 3
[network]
zones = 9
nat = "sinlge"
cidr = "8.8.8.0/20"
[[litellm.models]]
name = "a"
azure_deploymnt = "a"
[azure.callers.team-a]
models = 3
"""
    )
    message = project.refused("litellm.replicas=many")
    for expected in (
        "faults in the configuration",
        "platform.nmae: unknown key; did you mean 'name'?; allowed here: name, region (genai.toml)",
        "platform.region: 'tokyo' is not allowed; expected an AWS region, e.g. ap-northeast-1 (genai.toml)",
        "netwrk: unknown key; did you mean 'network'?",
        "network.zones: 9 is not allowed; expected at most 6",
        "network.nat: 'sinlge' is not allowed; did you mean 'single'?; allowed: single, per-zone",
        "network.cidr: '8.8.8.0/20' is not allowed; expected a private IPv4 network",
        "litellm.models[0].azure_deployment: is missing (genai.toml)",
        "litellm.models[0].azure_deploymnt: unknown key; did you mean 'azure_deployment'?",
        "azure.callers.team-a.models: 3 is not allowed; expected a list",
        "litellm.replicas: 'many' is not allowed; expected a whole number (--set litellm.replicas)",
    ):
        assert expected in message, expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("platform = 3", "platform: 3 is not a table; write it as [platform]"),
        ("litellm = []", "litellm: [] is not a table"),
        ('[ingress]\nallowed_cidrs = "10.0.0.0/8"', "ingress.allowed_cidrs: '10.0.0.0/8' is not allowed; expected networks"),
        ('[ingress]\nallowed_cidrs = ["10.0.0.0/33"]', "ingress.allowed_cidrs[0]: '10.0.0.0/33' is not allowed; expected networks"),
        ("[litellm]\nreplicas = 0", "litellm.replicas: 0 is not allowed; expected at least 1"),
        ("[litellm]\nreplicas = 1.5", "litellm.replicas: 1.5 is not allowed; expected a whole number"),
        ("[aws]\naccount_id = 123456789012", "aws.account_id: 123456789012 is not allowed; expected twelve digits"),
        ('[aws]\naccount_id = "12"', "aws.account_id: '12' is not allowed; expected twelve digits"),
        ('[platform]\nname = "Gen AI"', "platform.name: 'Gen AI' is not allowed; expected lower-case letters"),
        ('[ingress]\ndomain = "nodots"', "ingress.domain: 'nodots' is not allowed; expected a host name"),
        ('[langfuse.chart]\npath = "a"\noci = "b"', "langfuse.chart: give one of repository, oci and path, not oci and path"),
        ('[langfuse.chart]\nversion = "3.0.0"', "langfuse.chart.version: '3.0.0' is not allowed"),
        ('[ingress]\ntls = "none"\n[azure]\nenabled = true', "ingress.tls: 'none' is refused when API Management is in front"),
        ('[azure]\nenabled = "yes please"', "azure.enabled: 'yes please' is not allowed; expected true or false"),
        ('[azure]\ntenant_id = "contoso"', "azure.tenant_id: 'contoso' is not allowed; expected a GUID"),
        ('[azure.callers.a]\nmodels = ["gpt"]', "azure.callers.a.models: unknown model 'gpt'; configured are none"),
        ('[azure.callers."A B"]\n', "azure.callers.A B: 'A B' is not allowed"),
        (
            '[[litellm.models]]\nname="a"\nazure_deployment="a"\napi_base="https://x.example.com"\n' * 2,
            "litellm.models: the name 'a' is used twice",
        ),
        (
            '[[litellm.models]]\nname="a{{b}}"\nazure_deployment="a"\napi_base="https://x.example.com"',
            "litellm.models[0].name: 'a{{b}}' is not allowed",
        ),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_what_is_allowed(project: Project, text: str, expected: str) -> None:
    assert expected in project.write(text).refused()


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


MODEL = '[[litellm.models]]\nname = "gpt"\nazure_deployment = "a"\napi_base = "https://a.example.com"\n'


def test_contradictions_are_told_together_with_faults_of_single_values(project: Project) -> None:
    """One run tells all: neither a wrong value nor another contradiction hides one."""
    project.write(
        MODEL * 2
        + """
[network]
zones = 1
[ingress]
tls = "none"
langfuse_port = 80
[langfuse.chart]
path = "a"
oci = "b"
[azure]
enabled = true
[azure.apim]
sku = "Consumption"
[azure.callers.a]
models = ["gtp"]
client_id = "33333333-3333-4333-8333-33333333333a"
[azure.callers.b]
models = ["gpt", "other"]
client_id = "33333333-3333-4333-8333-33333333333A"
"""
        + MODEL.replace("gpt", "4o")
        + 'api_key_env = "DATABASE_URL"\n'
    )
    message = project.refused()
    for expected in (
        "11 faults in the configuration",
        "litellm.models[2].api_key_env: LiteLLM reads DATABASE_URL itself; choose another name, e.g. AZURE_DATABASE_URL (genai.toml)",
        "azure.callers.b.client_id: 33333333-3333-4333-8333-33333333333A is the caller 'a' already",
        "network.zones: 1 is not allowed; expected at least 2 (genai.toml)",
        "litellm.models: the name 'gpt' is used twice; every model needs its own name (several deployments",
        "azure.callers.a.models: unknown model 'gtp'; did you mean 'gpt'?; configured are 4o, gpt (genai.toml)",
        "azure.callers.b.models: unknown model 'other'; configured are 4o, gpt (genai.toml)",
        "ingress.langfuse_port: 80 is LiteLLM's port, too; without a domain each needs its own (genai.toml)",
        "ingress.tls: 'none' is refused when API Management is in front",
        "azure.apim.sku: Consumption cannot be used with streaming",
        "langfuse.chart: give one of repository, oci and path, not oci and path",
    ):
        assert expected in message, expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[litellm]\nreplicas = "2"', "litellm.replicas: '2' is not allowed; expected a whole number"),
        ("[network]\nzones = true", "network.zones: true is not allowed; expected a whole number"),
        ('[azure]\nenabled = "true"', "azure.enabled: 'true' is not allowed; expected true or false"),
        ('[azure.callers.a]\nmax_budget = "50"', "azure.callers.a.max_budget: '50' is not allowed; expected a number"),
        ('[azure.callers.a]\nclient_id = "x"', "azure.callers.a.client_id: 'x' is not allowed; expected a GUID"),
        ('[azure.callers.a]\nexpires = "soon"', "azure.callers.a.expires: 'soon' is not allowed; expected a date or time, e.g. 2027-03-31"),
        ('[azure.callers.a]\nbudget_duration = "1 month"', "expected a number and s, m, h or d, e.g. 30d"),
        ('[azure.callers."Team A"]\nmodels = []', "azure.callers.Team A: 'Team A' is not allowed; expected a caller's name"),
        ('[azure.callers.a]\nmodels = ["{{x}}"]', "azure.callers.a.models[0]: '{{x}}' is not allowed; expected text without '@', '{{'"),
        ('[azure.callers.a]\nmodels = ["@(1)"]', "azure.callers.a.models[0]: '@(1)' is not allowed; expected text without '@'"),
        (
            '[cluster]\npublic_access_cidrs = ["10.0.0.0/8"]',
            "cluster.public_access_cidrs[0]: '10.0.0.0/8' is not allowed; expected a public",
        ),
        ('[cluster]\npublic_access_cidrs = ["x"]', "cluster.public_access_cidrs[0]: 'x' is not allowed; expected a network"),
        ('[network]\ncidr = "10.0.0.5/16"', "network.cidr: '10.0.0.5/16' is not allowed; expected a private IPv4 network"),
        ('[network]\ncidr = "fd00::/20"', "network.cidr: 'fd00::/20' is not allowed; expected a private IPv4 network"),
    ],
)
def test_what_a_value_should_have_been(project: Project, text: str, expected: str) -> None:
    assert project.write(text).refused().count(expected) == 1


def test_one_address_is_a_network_of_one(project: Project) -> None:
    """Load balancers take networks only."""
    assert project.write('[ingress]\nallowed_cidrs = ["203.0.113.7"]').load().settings.ingress.allowed_cidrs == ("203.0.113.7/32",)


def test_an_expiry_may_be_a_date_of_toml(project: Project) -> None:
    project.write("[azure.callers.a]\nexpires = 2099-03-31\n[azure.callers.b]\nexpires = 2099-03-31T18:00:00Z\n")
    callers = project.load().settings.azure.callers
    assert (callers["a"].expires, callers["b"].expires) == ("2099-03-31", "2099-03-31T18:00:00+00:00")


def test_two_applications_share_a_port_only_when_they_have_names(project: Project) -> None:
    assert project.load("default", "ingress.langfuse_port=443", "ingress.domain=genai.example.com").settings
    assert "ingress.langfuse_port: 443" in project.refused("ingress.langfuse_port=443")
    assert "ingress.gateway_port: 443" in project.refused("ingress.gateway_port=443", "azure.enabled=true")


def networks(count: int, form: str = "198.51.100.{}/32") -> str:
    return "[" + ", ".join(f'"{form.format(number)}"' for number in range(count)) + "]"


@pytest.mark.parametrize(
    ("sets", "most"),
    [
        ([], 29),
        (["ingress.domain=genai.example.com"], 58),
        (["ingress.litellm_port=9443", "ingress.domain=genai.example.com"], 29),
        (["ingress.tls=none"], 29),
    ],
)
def test_a_security_group_has_a_rule_for_each_network_and_port(project: Project, sets: list[str], most: int) -> None:
    sets = [*sets, 'cluster.public_access_cidrs=["203.0.113.0/24"]']
    both = networks(most)[:-1] + ", " + networks(most, "2001:db8::{:x}/128")[1:]  # each family has its own quota
    assert project.load("default", *sets, f"ingress.allowed_cidrs={both}").settings
    assert f"at most {most} here" in project.refused(*sets, f"ingress.allowed_cidrs={networks(most + 1)}")
    assert "IPv6 networks are too many" in project.refused(*sets, f"ingress.allowed_cidrs={networks(most + 1, '2001:db8::{:x}/128')}")


def test_eks_takes_40_public_networks(project: Project) -> None:
    assert project.load("default", f"cluster.public_access_cidrs={networks(40)}").settings
    assert "EKS takes at most 40" in project.refused(f"cluster.public_access_cidrs={networks(41)}")
    named = ("ingress.domain=genai.example.com", f"ingress.allowed_cidrs={networks(41)}")
    assert "cluster.public_access_cidrs: is empty" in project.refused(*named)
    assert project.load("default", *named, 'cluster.public_access_cidrs=["203.0.113.0/24"]').settings


URI = "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01-preview"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (URI, "https://x.openai.azure.com"),
        ("https://x.openai.azure.com/", "https://x.openai.azure.com"),
        ("https://x.openai.azure.com/openai/v1/", "https://x.openai.azure.com"),
        ("https://x.services.ai.azure.com/api/projects/p", "https://x.services.ai.azure.com"),
        ("https://gateway.example.com/team/openai/deployments/d", "https://gateway.example.com/team"),
        ("https://gateway.example.com/team", "https://gateway.example.com/team"),
    ],
)
def test_a_target_uri_becomes_the_address_that_it_begins_with(tmp_path: Path, given: str, address: str) -> None:
    model = f'{{name="m",azure_deployment="d",api_base="{given}",api_version="2025-01-01-preview"}}'
    assert load(tmp_path, sets=[f"litellm.models=[{model}]"], environ={}).settings.litellm.models[0].api_base == address


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (f'azure_deployment="other",api_base="{URI}"', "azure_deployment: 'other' is not what api_base says: 'd'"),
        (f'azure_deployment="d",api_base="{URI}"', "api_version: '2024-10-21' is not what api_base says"),
        (f'azure_deployment="d",api_version="v1",api_base="{URI}"', "api_version: 'v1' is not what api_base says: '2025-01-01-preview'"),
        ('azure_deployment="d",api_base="https://x.openai.azure.com/?code=1"', "expected the address of the resource"),
        ('azure_deployment="d",mode="responses",api_version="2024-10-21",api_base="https://x.example"', "has no /openai/responses"),
        ('azure_deployment="d",base_model="gpt-5-codex",api_version="2024-10-21",api_base="https://x.example"', "or later, or v1"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(tmp_path: Path, model: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(tmp_path, sets=[f'litellm.models=[{{name="m",{model}}}]'], environ={})


@pytest.mark.parametrize(
    ("model", "version"),
    [('mode="chat"', "2024-10-21"), ('mode="responses"', "2025-03-01-preview"), ('base_model="azure/gpt-5-codex"', "2025-03-01-preview")],
)
def test_the_api_version_fits_what_the_model_is_asked_by(tmp_path: Path, model: str, version: str) -> None:
    text = f'litellm.models=[{{name="m",azure_deployment="d",api_base="https://x.example",{model}}}]'
    assert load(tmp_path, sets=[text], environ={}).settings.litellm.models[0].api_version == version


def test_one_deployment_has_one_mode(tmp_path: Path) -> None:
    model = '{name="%s",azure_deployment="d",api_base="https://x.example",mode="%s"}'
    with pytest.raises(ConfigError, match="the deployment 'd' is chat in 'a' and responses here"):
        load(tmp_path, sets=[f"litellm.models=[{model % ('a', 'chat')},{model % ('b', 'responses')}]"], environ={})


def test_api_management_needs_a_domain_or_the_owners_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"azure\.apim\.unverified_backend = true"):
        load(tmp_path, sets=["azure.enabled=true"], environ={})
    for accepted in ("ingress.domain=genai.example.com", "azure.apim.unverified_backend=true"):
        assert load(tmp_path, sets=["azure.enabled=true", accepted], environ={}).settings.azure.enabled


def test_the_list_of_priced_models_is_the_one_of_the_proxy() -> None:
    """Compared with the price map inside the LiteLLM that the sandbox runs."""
    folder = Path(str(importlib.util.find_spec("litellm").origin)).parent  # type: ignore[union-attr]
    prices = json.loads((folder / "model_prices_and_context_window_backup.json").read_text())
    modes = {"chat", "responses", "embedding", "completion"}
    costs = ("input_cost_per_token", "output_cost_per_token")
    assert {
        name.removeprefix("azure/"): entry["mode"]
        for name, entry in prices.items()
        if name.startswith("azure/") and entry.get("mode") in modes and any(entry.get(cost) for cost in costs)
    } == azure_models.PRICED
    assert importlib.metadata.version("litellm") == azure_models.VERSION
