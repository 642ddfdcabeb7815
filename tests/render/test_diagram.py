"""What the picture of an environment shows."""

from __future__ import annotations

import pytest

from genai_platform.engine.step import State
from genai_platform.render.diagram import Diagram, diagram
from genai_platform.render.mermaid import Node
from tests.render.diagrams import AZURE, EVERYTHING, drawn, steps, target

MODELS = {
    "models": [
        {"name": "gpt-4o", "azure_deployment": "prod", "base_model": "gpt-4o", "api_base": "https://east.openai.azure.com"},
        {"name": "embed", "azure_deployment": "embed", "api_base": "https://west.openai.azure.com", "mode": "embedding"},
        {"name": "mini", "azure_deployment": "mini", "api_base": "https://east.openai.azure.com"},
    ]
}


def inside(picture: Diagram) -> dict[str, tuple[str, ...]]:
    """Each box's first line, with those of the areas around it, the innermost first."""
    nodes = {node.id: node for node in picture.nodes}

    def around(node: Node) -> tuple[str, ...]:
        return (nodes[node.inside].lines[0], *around(nodes[node.inside])) if node.inside else ()

    return {node.lines[0]: around(node) for node in picture.nodes}


def node(picture: Diagram, id: str) -> Node:
    return next(node for node in picture.nodes if node.id == id)


def test_every_part_of_the_platform_is_drawn_where_it_lies() -> None:
    places = inside(drawn({"litellm": MODELS, "azure": AZURE}))
    vpc = ("VPC 10.0.0.0/16", "AWS")
    public, private = ("Public subnets in 2 zones", *vpc), ("Private subnets in 2 zones", *vpc)
    eks, roles, group = ("EKS cluster genai", *private), ("IAM roles of the pods", "AWS"), ("Resource group genai", "Azure")
    assert places == {
        "People": (),
        "Callers": (),
        "AWS": (),
        "VPC 10.0.0.0/16": ("AWS",),
        "Public subnets in 2 zones": vpc,
        "Private subnets in 2 zones": vpc,
        "Application Load Balancer": public,
        "NAT gateway (1)": public,
        "EKS cluster genai": private,
        **dict.fromkeys(("LiteLLM", "Langfuse web", "Langfuse worker", "ClickHouse", "ZooKeeper"), eks),
        **dict.fromkeys(("Aurora PostgreSQL", "ElastiCache for Redis"), private),
        **dict.fromkeys(("genai-litellm", "genai-langfuse", "genai-clickhouse"), roles),
        **dict.fromkeys(
            ("IAM roles of the pods", "S3 bucket of Langfuse", "S3 bucket of ClickHouse", "Secrets Manager", "ACM certificate"), ("AWS",)
        ),
        **dict.fromkeys(("Entra ID", "Resource group genai", "Azure OpenAI"), ("Azure",)),
        **dict.fromkeys(("Entra application of the API", "Entra applications of genai verify"), ("Entra ID", "Azure")),
        **dict.fromkeys(("Key Vault", "API Management"), group),
        "Azure": (),
    }


def test_every_step_belongs_to_something_that_is_drawn() -> None:
    everything = target(EVERYTHING)
    picture = diagram(everything, steps(everything))
    assert {step for node in picture.nodes for step in node.steps} == set(steps(everything))


def test_models_are_drawn_in_the_account_that_they_lie_in() -> None:
    picture = drawn({"litellm": MODELS})
    assert node(picture, "openai_0").lines[1:] == ("east.openai.azure.com", "gpt-4o (deployment prod)", "mini")
    assert node(picture, "openai_1").lines[1:] == ("west.openai.azure.com", "embed")


def test_the_configuration_changes_the_picture() -> None:
    plain, other = drawn({}), drawn({**EVERYTHING, "ingress": {"domain": "genai.example.com", "tls": "none"}, "litellm": {"replicas": 2}})
    assert {"callers", "apim", "vault", "application"} & {node.id for node in plain.nodes} == set()
    assert node(plain, "load_balancer").lines[1:] == ("LiteLLM: port 443", "Langfuse: port 8443")
    assert "LiteLLM: litellm.genai.example.com:80" in node(other, "load_balancer").lines
    assert node(plain, "litellm").lines == ("LiteLLM", "1 pod")
    assert node(other, "litellm").lines == ("LiteLLM", "2 pods")
    assert node(other, "keeper").lines == ("ClickHouse Keeper",)
    assert {"operator", "bucket_state", "certificate"} & {node.id for node in other.nodes} == {"operator", "bucket_state"}


def test_an_api_management_of_somebody_else_is_not_drawn_in_our_group() -> None:
    picture = drawn({"azure": {**AZURE, "apim": {"existing": "shared-gateway"}}})
    assert node(picture, "apim").inside == "azure"
    assert "shared-gateway" in node(picture, "apim").lines


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({"infra.data": "present", "infra.redis": "present"}, "present"),
        ({"infra.data": "absent", "infra.redis": "absent"}, "absent"),
        ({"infra.data": "present", "infra.redis": "absent"}, "drifted"),
        ({"infra.data": "present", "infra.redis": "drifted"}, "drifted"),
        ({"infra.data": "unknown", "infra.redis": "absent"}, "unknown"),
        ({"infra.data": "unknown", "infra.redis": "present"}, "unknown"),
    ],
)
def test_a_box_has_the_state_of_its_steps(found: dict[str, str], state: str) -> None:
    picture = diagram(target({}), found.keys(), found)
    assert node(picture, "redis").state == state
    assert node(picture, "aurora").state == found["infra.data"]
    assert {node.state for node in picture.nodes if not node.steps} == {""}


@pytest.mark.parametrize("state", State)
def test_a_state_is_a_word_and_a_class(state: State) -> None:
    text = diagram(target({}), ["infra.data", "infra.network"], {"infra.data": state, "infra.network": state}).mermaid
    assert f'aurora[("Aurora PostgreSQL<br/>databases of LiteLLM and Langfuse<br/>{state}")]' in text
    assert f'subgraph vpc["VPC 10.0.0.0/16 ({state})"]' in text
    assert f"classDef {state} fill:" in text
    assert f"class nat,aurora,redis {state}\n" in text
    assert f"class vpc,public,private {state}_area" in text


def test_without_a_look_no_box_has_a_state() -> None:
    picture = drawn({**EVERYTHING, "litellm": MODELS})
    assert {node.state for node in picture.nodes} == {""}
    assert not any(state.value in picture.mermaid for state in State)
