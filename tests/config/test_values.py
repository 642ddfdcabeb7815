"""What single values may be, and how a wrong one is told."""

from __future__ import annotations

import pytest

from tests.config.project import Project


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
