"""What the product is told about a sandbox: loopback only, its own keys, nothing of the person's."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from genai_platform.cli.worlds.sandbox_defaults import defaults
from genai_platform.config.extra_config import ExtraConfig
from genai_platform.config.layers import Layer, validate
from genai_platform.config.models import AzureModel, BedrockModel, Litellm
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.sandbox import shell_exports
from genai_platform.sandbox.aws.bedrock import catalog
from genai_platform.sandbox.endpoints import clean_environment, environment_of, trusted
from genai_platform.sandbox.layout import SandboxLayout

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SandboxLayout:
    before = os.environ.get("GENAI_CACHE_DIR")
    monkeypatch.setenv("GENAI_CACHE_DIR", before or str(tmp_path / "cache"))
    return SandboxLayout.create(tmp_path / "sandbox" / "world", "sandbox", "eu-west-1")


def target(layout: SandboxLayout, *layers: Layer) -> Target:
    """What a command works on when these are the person's settings."""
    below = Layer("sandbox default", defaults(layers[0].values if layers else {}))
    endpoints, overlay, _ = environment_of(layout, validate([below, *layers]).settings)
    return Target("sandbox", validate([below, *layers, Layer("sandbox", overlay)]).settings, endpoints, layout.root.parent)


def test_every_address_is_loopback(layout: SandboxLayout) -> None:
    made = target(layout)
    addresses = [made.endpoints.aws.url, made.endpoints.aws.checkip, *(model.api_base for model in made.settings.litellm.models)]
    assert {urlsplit(address or "").hostname for address in addresses} == {"127.0.0.1"}
    assert not made.endpoints.real


def test_without_models_there_are_some_to_try(layout: SandboxLayout) -> None:
    models = target(layout).settings.litellm.models
    assert [(model.name, model.mode) for model in models] == [
        ("gpt-4o-mini", "chat"), ("gpt-4o", "chat"), ("text-embedding-3-small", "embedding"),
    ]  # fmt: skip


def test_the_azure_half_is_there_with_one_caller_unless_the_person_says_otherwise(layout: SandboxLayout) -> None:
    azure = target(layout).settings.azure
    assert azure.enabled
    assert {name: caller.models for name, caller in azure.callers.items()} == {"team-a": ("gpt-4o-mini", "text-embedding-3-small")}
    own = Layer("genai.toml", {"azure": {"enabled": False, "callers": {"mine": {"models": ["gpt-4o"]}}}})
    azure = target(layout, own).settings.azure
    assert (azure.enabled, set(azure.callers)) == (False, {"mine"})


def test_the_persons_models_are_kept_and_their_keys_given(layout: SandboxLayout) -> None:
    own = AzureModel(name="mine", azure_deployment="d", api_base="https://x.openai.azure.com", api_version="preview", api_key_env="MY_KEY")
    settings = Settings(litellm=Litellm(models=(own,)))
    (model,) = target(layout, Layer("genai.toml", {"litellm": {"models": [own.model_dump()]}})).settings.litellm.models
    assert model == own.model_copy(update={"api_base": layout.url("openai")})
    variables = environment_of(layout, settings).variables
    assert variables["MY_KEY"] == (layout.root / "openai" / "key").read_text()
    assert stat.S_IMODE((layout.root / "openai" / "key").stat().st_mode) == 0o600


def test_asked_twice_it_says_the_same(layout: SandboxLayout) -> None:
    settings = target(layout).settings
    assert environment_of(layout, settings) == environment_of(SandboxLayout.open(layout.root), settings)


def test_ports_and_account_are_the_sandboxs_own(layout: SandboxLayout) -> None:
    settings = target(layout).settings
    assert settings.ingress.litellm_port == layout.ports["litellm"]
    assert settings.ingress.langfuse_port == layout.ports["langfuse"]
    assert settings.ingress.gateway_port == layout.ports["models"]
    assert settings.aws.account_id == "123456789012"
    assert settings.platform.region == "eu-west-1"


def test_nothing_ambient_survives() -> None:
    given = {
        "AWS_PROFILE": "prod", "AZURE_CLIENT_SECRET": "x", "KUBECONFIG": "/home/me/.kube/config", "ARM_CLIENT_ID": "x",
        "TF_VAR_name": "x", "TF_CLI_CONFIG_FILE": "/etc/tf.rc", "PATH": "/usr/bin", "HOME": "/home/me",
    }  # fmt: skip
    clean = clean_environment(given)
    assert clean.keys() - {"TF_CLI_CONFIG_FILE", "PATH", "HOME"} == {
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
    }  # fmt: skip
    assert clean["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_the_platforms_own_authority_joins_the_bundle(layout: SandboxLayout, tmp_path: Path) -> None:
    own = tmp_path / "ca.pem"
    assert trusted(layout, own) == trusted(layout)
    own.write_text("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
    text = trusted(layout, own).read_text()
    assert own.read_text() in text
    assert layout.ca_file.read_text() in text


def test_a_shell_takes_the_exports(layout: SandboxLayout) -> None:
    found = shell_exports.variables(layout, target(layout))
    assert {"OPENAI_API_KEY", "LANGFUSE_SECRET_KEY"}.isdisjoint(found), "there is no platform yet"
    script = (
        shell_exports.exports(found | {"ODD": "it's $HOME"})
        + 'printf "%s|%s|%s|%s" "$AWS_ENDPOINT_URL" "$KUBECONFIG" "$ODD" "$AWS_PROFILE"'
    )
    done = subprocess.run(["sh", "-eu", "-c", script.replace('"$AWS_PROFILE"', '"${AWS_PROFILE-none}"')], capture_output=True, text=True,
                          check=True, env={"AWS_PROFILE": "prod", "PATH": os.environ["PATH"]})  # fmt: skip
    assert done.stdout == f"{layout.url('aws')}|{layout.endpoint_kubeconfig}|it's $HOME|none"


def test_neither_a_proxy_nor_another_endpoint_of_the_persons_comes_between(layout: SandboxLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example.com")
    script = (
        shell_exports.exports(shell_exports.variables(layout, target(layout)))
        + 'printf "%s|%s|%s" "${AWS_ENDPOINT_URL_S3-none}" "$NO_PROXY" "$no_proxy"'
    )
    given = {"AWS_ENDPOINT_URL_S3": "https://s3.example.com", "PATH": os.environ["PATH"]}
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True, env=given)
    other, *lists = done.stdout.split("|")
    assert other == "none"
    assert set(lists) == {"intranet.example.com,localhost,.localhost,127.0.0.1"}


def test_a_group_of_two_regions_stays_two_accounts(layout: SandboxLayout) -> None:
    models = [{"name": "gpt", "azure_deployment": "d", "api_base": f"https://{one}.openai.azure.com"} for one in ("east", "west")]
    made = target(layout, Layer("genai.toml", {"litellm": {"models": models}})).settings.litellm.models
    assert [one.api_base for one in made] == [f"{layout.url('openai')}/{one}.openai.azure.com" for one in ("east", "west")]


def test_every_provider_is_asked_on_this_machine(layout: SandboxLayout) -> None:
    """Also the models that a person's own file adds. Amazon Bedrock has no address of its own: its SDK's variable leads here."""
    text = "model_list: [{model_name: own, litellm_params: {model: openai/m, api_key: os.environ/OWN_KEY}}]"
    models = [
        {"name": "o", "provider": "openai", "model": "m"},
        {"name": "v", "provider": "openai", "model": "m", "api_base": "https://vllm.example.com/v1"},
        {"name": "b", "provider": "bedrock", "model": "amazon.nova-lite-v1:0", "region": "eu-west-1"},
        {"name": "p", "provider": "bedrock", "model": f"us.{HAIKU}", "application_inference_profile": PROFILE},
    ]
    extra = ExtraConfig("extra.yaml", yaml.safe_load(text), text)
    settings = target(layout, Layer("genai.toml", {"litellm": {"models": models, "extra_config": extra}})).settings
    openai = layout.url("openai")
    *served, bedrock, profile = settings.litellm.models
    assert [one.address for one in served] == [f"{openai}/{host}/openai/v1" for host in ("api.openai.com", "vllm.example.com")]
    assert bedrock.address == "Amazon Bedrock in eu-west-1"
    assert isinstance(profile, BedrockModel)
    behind = catalog.find(profile.invoked, "us-east-1")  # the sandbox has one of its own
    assert isinstance(behind, catalog.InferenceProfile)
    assert (profile.invoked == PROFILE, behind.model.id) == (False, HAIKU)
    (added,) = (settings.litellm.extra_config or extra).document["model_list"]  # type: ignore[index]
    assert added["litellm_params"] == {"model": "openai/m", "api_key": "os.environ/OWN_KEY", "api_base": f"{openai}/openai/v1"}
    assert {"OPENAI_API_KEY", "OWN_KEY"} <= environment_of(layout, settings).variables.keys()
