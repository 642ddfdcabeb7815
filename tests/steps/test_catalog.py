from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.prices import parts
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.graph import Graph
from genai_platform.steps.catalog import build, for_down, for_up, standing
from genai_platform.steps.clients import Clients


def graph_of(**tables: Any) -> tuple[Graph, Settings]:
    settings = Settings.model_validate(tables)
    return build(Clients(Target("default", settings, Endpoints(), Path("nowhere")))), settings


def test_one_session_with_aws_serves_terraform_too() -> None:
    clients = Clients(Target("default", Settings(), Endpoints(), Path("nowhere")))
    assert clients.terraform.state.aws is clients.aws


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"terraform": {"backend": "s3"}},
        {"ingress": {"tls": "none"}},
        {"ingress": {"domain": "genai.example.com"}},
        {"langfuse": {"chart": {"version": "2.0.0"}}},
        {"langfuse": {"post_install": "patch"}},
        {"langfuse": {"post_install": "none"}},
    ],
)
def test_every_configuration_gives_a_sound_graph(tables: dict[str, Any]) -> None:
    graph, settings = graph_of(**tables)
    assert "infra.network" in graph
    assert all(step.limit > 0 and step.minutes >= 0 for step in graph)
    assert for_up(graph, settings).ids


def test_patches_are_part_of_up_only_when_chosen_or_named() -> None:
    graph, settings = graph_of()
    assert not any(id.startswith("patch.") for id in for_up(graph, settings).ids)
    assert all(id.startswith("patch.") for id in for_up(graph, settings, ["patch"]).ids)
    graph, settings = graph_of(langfuse={"post_install": "patch"})
    assert any(id.startswith("patch.") for id in for_up(graph, settings).ids)
    graph, settings = graph_of(langfuse={"post_install": "none"})
    assert not any(id.startswith("patch.") for id in standing(graph, settings))


def test_a_family_leaves_out_what_waits_for_another_familys_work_on_it() -> None:
    graph, settings = graph_of(langfuse={"post_install": "patch"})
    assert "langfuse.traces" not in for_up(graph, settings, ["langfuse"]).ids
    assert "langfuse.traces" in for_up(graph, settings, ["langfuse", "patch"]).ids
    assert for_up(graph, settings, ["langfuse.traces"]).ids == ("langfuse.traces",)
    assert "langfuse.traces" in for_up(graph, settings).ids
    graph, settings = graph_of()
    assert "langfuse.traces" in for_up(graph, settings, ["langfuse"]).ids


def test_keep_data_keeps_storage_and_secrets() -> None:
    graph, settings = graph_of(lifecycle={"down": "keep-data"})
    ids, kept = for_down(graph, settings)
    assert set(kept) == {"infra.storage", "infra.secrets"}
    assert set(kept) < set(ids)
    graph, settings = graph_of()
    assert for_down(graph, settings)[1] == ()


def test_ingresses_come_before_the_chart() -> None:
    graph, _ = graph_of()
    assert "langfuse.ingress" in graph.closure(["langfuse.chart"])


def test_every_price_belongs_to_a_step() -> None:
    graph, settings = graph_of()
    assert all(part.step in graph for part in parts(settings))


@pytest.mark.parametrize("domain", [None, "genai.example.com"])
def test_applications_for_signing_in_are_made_before_the_tools_are_configured(domain: str | None) -> None:
    """Their redirect addresses are those of the ingresses, known beforehand with a domain; a family alone is whole in either case."""
    azure = {"enabled": True, "tenant_id": "11111111-2222-3333-4444-555555555555"}
    graph, settings = graph_of(litellm={"sign_in": "entra"}, azure=azure, ingress={"domain": domain} if domain else {})
    assert "azure.sign_in" in graph.needs("litellm.config")
    assert "azure.sign_in" not in graph.needs("langfuse.config")
    assert ("litellm.ingress" in graph.needs("azure.sign_in")) is (domain is None)
    assert "litellm.config" in for_up(graph, settings, ["litellm"]).ids
    assert "azure.sign_in" not in graph_of(azure=azure)[0]
