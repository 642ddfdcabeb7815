"""Values that contradict each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from genai_platform.config.layers import load
from genai_platform.errors import ConfigError
from tests.config.project import Project

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
        "litellm.models: the name 'gpt' is used twice for the deployment 'a' at https://a.example.com; deployments of one",
        "azure.callers.a.models: unknown model 'gtp'; did you mean 'gpt'?; configured are 4o, gpt (genai.toml)",
        "azure.callers.b.models: unknown model 'other'; configured are 4o, gpt (genai.toml)",
        "ingress.langfuse_port: 80 is LiteLLM's port, too; without a domain each needs its own (genai.toml)",
        "ingress.tls: 'none' is refused when API Management is in front",
        "azure.apim.sku: Consumption cannot be used with streaming",
        "langfuse.chart: give one of repository, oci and path, not oci and path",
    ):
        assert expected in message, expected


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


def test_api_management_needs_a_domain_or_the_owners_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"azure\.apim\.unverified_backend = true"):
        load(tmp_path, sets=["azure.enabled=true"], environ={})
    for accepted in ("ingress.domain=genai.example.com", "azure.apim.unverified_backend=true"):
        assert load(tmp_path, sets=["azure.enabled=true", accepted], environ={}).settings.azure.enabled


def test_a_name_has_several_deployments_of_one_mode(project: Project) -> None:
    project.write(MODEL + MODEL.replace("a.example", "b.example"))
    assert load(project.folder, environ={}).settings.litellm.groups.keys() == {"gpt"}
    project.write(MODEL + MODEL.replace("a.example", "b.example") + 'mode = "embedding"\n')
    assert "litellm.models: the deployments of 'gpt' have the modes chat and embedding" in project.refused()


def test_a_share_is_set_for_the_whole_group(project: Project) -> None:
    project.write(MODEL + "weight = 2\n" + MODEL.replace("a.example", "b.example"))
    assert "weight is set for 1 of the 2 deployments of 'gpt'" in project.refused()


OTHERS = MODEL.replace("gpt", "small") + MODEL.replace("gpt", "vectors").replace('"a"', '"b"') + 'mode = "embedding"\n'


@pytest.mark.parametrize(
    ("fallbacks", "expected"),
    [
        ('fallbacks = { gpt = ["smal"] }', "litellm.fallbacks.fallbacks: unknown model 'smal'; did you mean 'small'?"),
        ('content_policy_fallbacks = { gtp = ["small"] }', "litellm.fallbacks.content_policy_fallbacks: unknown model 'gtp'"),
        (
            'context_window_fallbacks = { gpt = ["small"], small = ["gpt"] }',
            "litellm.fallbacks.context_window_fallbacks: the fallbacks go in a circle: ",
        ),
        ('fallbacks = { gpt = ["gpt"] }', "the fallbacks go in a circle: gpt -> gpt"),
        ('fallbacks = { gpt = ["vectors"] }', "'gpt' is a model for chat and 'vectors' one for embedding"),
    ],
)
def test_fallbacks_lead_to_another_model_of_the_same_kind(project: Project, fallbacks: str, expected: str) -> None:
    project.write(MODEL + OTHERS + f"[litellm.fallbacks]\n{fallbacks}\n")
    assert expected in project.refused()


def test_a_caller_has_the_fallbacks_of_its_models(project: Project) -> None:
    text = MODEL + OTHERS + '[litellm.fallbacks]\nfallbacks = { gpt = ["small"] }\n[azure.callers.a]\nmodels = ["gpt"]\n'
    project.write(text)
    assert "azure.callers.a.models: small is missing: litellm.fallbacks.fallbacks leads there" in project.refused()
    project.write(text.replace('models = ["gpt"]', 'models = ["gpt", "small"]'))
    assert load(project.folder, environ={}).settings.litellm.fallbacks.fallbacks == {"gpt": ("small",)}
