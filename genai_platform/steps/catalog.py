"""All steps of the platform, gathered from their families."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from genai_platform.config.settings import Settings
from genai_platform.engine.graph import Graph, Selection
from genai_platform.engine.step import Step

if TYPE_CHECKING:
    from genai_platform.config.target import Target
    from genai_platform.steps.clients import Clients

FAMILIES = ("infra", "litellm", "langfuse", "patch", "azure")
"""Modules of ``genai_platform.steps`` that have ``steps(clients)``; each is a subcommand and the first word of its steps' ids."""


def build(clients: Clients) -> Graph:
    """The checked graph of every step that exists for this target. Does no input or output."""
    return Graph([step for family in FAMILIES for step in import_module(f"genai_platform.steps.{family}").steps(clients)])


def with_unconfigured(graph: Graph, clients: Clients) -> Graph:
    """The graph with what exists though the configuration no longer has it. Looks at Azure; what cannot be seen is in it, as unknown."""
    if "azure" not in graph.families:
        return graph
    from genai_platform.engine.scheduler import observe_all
    from genai_platform.engine.step import State
    from genai_platform.steps.azure.unconfigured import UnconfiguredStep

    step = UnconfiguredStep(clients)
    return graph if observe_all([step])[step.id].state is State.ABSENT else Graph([*graph, step])


def preflight(target: Target) -> None:
    """What each family can see to be wrong before anything is changed. Raises ``ConfigError``."""
    for family in FAMILIES:
        look = getattr(import_module(f"genai_platform.steps.{family}"), "preflight", None)
        if look is not None:
            look(target)


def for_up(graph: Graph, settings: Settings, only: Sequence[str] = (), skip: Sequence[str] = ()) -> Selection:
    """What ``up`` works on: the post-install steps only when they were chosen, or named.

    Args:
        only: steps or families. Of a family, a step that comes after another family's work (``langfuse.traces`` after
            ``patch.disk``) is left for a run that has that work, too.
    """
    selection = graph.select(only, skip)
    if only:
        needed = {need for id in selection.ids for need in graph.needs(id)}
        late = {id for id in selection.ids if id not in only and id not in needed and _returns(graph, id, selection.ids)}
        return Selection(tuple(id for id in selection.ids if id not in late), selection.skipped)
    if settings.langfuse.post_install == "patch":
        return selection
    return Selection(tuple(id for id in selection.ids if not id.startswith("patch.")), selection.skipped)


def _returns(graph: Graph, id: str, chosen: Sequence[str]) -> bool:
    """Whether a step needs post-install work outside the selection that itself needs a step of the same family."""
    family = id.partition(".")[0] + "."
    outside = [need for need in graph.needs(id) if need not in chosen and need.startswith("patch.")]
    return any(other.startswith(family) for other in graph.closure(outside))


def standing(graph: Graph, settings: Settings) -> tuple[str, ...]:
    """What ``status`` looks at and ``plan`` speaks of: with no post-install work, its steps do not count."""
    if settings.langfuse.post_install == "none":
        return tuple(id for id in graph.ids if not id.startswith("patch."))
    return graph.ids


def for_down(graph: Graph, settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What ``down`` removes, and what it keeps. Post-install work goes with the chart."""
    from genai_platform.steps import azure, infra

    kept = (*infra.KEPT_WITH_DATA, *azure.KEPT_WITH_DATA) if settings.lifecycle.down == "keep-data" else ()
    return tuple(id for id in graph.ids if not id.startswith("patch.")), tuple(id for id in kept if id in graph)


def inside(graph: Graph) -> dict[str, str]:
    """The steps whose objects exist only in the cluster, each with the step that removes the cluster."""
    lying = ("litellm.", "langfuse.", "patch.", "infra.kubernetes", "azure.ingress")
    return {id: "infra.cluster" for id in graph.ids if id.startswith(lying)}


def resources(clients: Clients, step: Step) -> int:
    """How many resources an existing step is made of: those in Terraform's state, the objects of a cluster, else one."""
    from genai_platform.tools.terraform.client import ROOTS

    for root in ROOTS:
        if step.id == f"infra.{root}":
            return clients.terraform.state.resources(root) or 1
    return len(getattr(step, "refs", ())) or 1
