"""What other people put into the cluster and its network: shown before a removal, cleared of what blocks it, finished after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genai_platform.cli.run import Run
from genai_platform.errors import GenaiError, Interrupted
from genai_platform.steps.infra import foreign, orphans
from genai_platform.ui.text import dollars
from genai_platform.ui.voice import Voice

_OWNERLESS = "in the network, owned by nothing in the cluster"
_CLUSTER, _NETWORK = "infra.cluster", "infra.network"


def show(run: Run, going: Sequence[str]) -> list[dict[str, Any]]:
    """List it, when the cluster is among the steps that go.

    Returns:
        One document for each object: ``kind``, ``namespace``, ``name``, ``detail``, ``usd_per_hour``, ``remove`` (the command) and
        ``goes``, which is false for what is not touched.
    """
    found = _in_cluster(run) if _CLUSTER in going else []
    found += _in_network(run) if _NETWORK in going else []
    if found:
        rows = []
        for one in found:
            happens = "removed" if one["goes"] else one["remove"]
            rows.append([one["kind"], one["namespace"], one["name"], one["detail"], dollars(one["usd_per_hour"]), happens])
        headers = ["kind", "namespace", "name", "what it is", "cost", "what happens"]
        run.screen.table(headers, rows, title="not the platform's, and in its cluster or network:")
    return found


def unblock(run: Run, going: Sequence[str]) -> None:
    """Delete webhook configurations and APIServices that nobody serves, where the cluster goes: they would hold all the rest."""
    if _CLUSTER not in going:
        return
    try:
        gone = foreign.unblock(run.clients.kube) if run.clients.kube.exists() else []
    except GenaiError as error:
        run.screen.warn(f"webhooks that nobody serves could not be looked for: {error.message}")
        return
    for one in gone:
        run.screen.say(f"deleted, since nobody serves it: {one}")


def finish(run: Run) -> None:
    """Delete what a cluster that is gone has left outside of every network."""
    try:
        for one in orphans.finish(run.clients, Voice(run.screen)):
            run.screen.say(f"deleted, since its cluster is gone: {one}")
    except Interrupted:
        raise
    except GenaiError as error:
        run.screen.warn(error.message)


def _in_cluster(run: Run) -> list[dict[str, Any]]:
    seen = foreign.look(run.clients)
    for line in seen.unseen:
        run.screen.warn(f"not seen in the cluster: {line}")
    return [
        {
            "kind": one.kind, "namespace": one.namespace, "name": one.name, "detail": one.detail,
            "usd_per_hour": round(one.usd_per_hour, 5), "remove": one.remove, "goes": True,
        }
        for one in seen.objects
    ]  # fmt: skip


def _in_network(run: Run) -> list[dict[str, Any]]:
    try:
        found = [(one, True) for one in orphans.balancers(run.clients)] + [(one, False) for one in orphans.of_others(run.clients)]
    except GenaiError as error:
        run.screen.warn(f"not seen in the network: {error.message}")
        return []
    return [
        {
            "kind": one.kind, "namespace": "", "name": one.id.split("/")[-2] if "/" in one.id else one.id,
            "detail": _OWNERLESS if goes else "in the network",
            "usd_per_hour": round(one.usd_per_hour, 5), "remove": one.remove, "goes": goes,
        }
        for one, goes in found
    ]  # fmt: skip
