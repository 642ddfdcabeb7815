"""From Langfuse 3 to Langfuse 4: what is refused on the way, and what waits until the traces are there.

Langfuse 4 rewrites the rows of Langfuse 3 for its own tables once, when its worker starts
(https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4): started on a ClickHouse that has nothing yet, it
would be done at once, and what is read back afterwards would never be shown.
"""

from __future__ import annotations

from genai_platform.advice import advice, genai
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.errors import ConfigError, GenaiError
from genai_platform.render import langfuse
from genai_platform.render.chart import pins
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import writers
from genai_platform.steps.langfuse.backups import Backup, Backups
from genai_platform.tools.kubernetes.client import Document, Kube

NAMES = {1: "Langfuse 3 (chart 1.5)", 2: "Langfuse 4 (chart 2)"}


def line_of(version: str) -> int:
    """The chart line a chart's version belongs to."""
    return 2 if version.startswith("2.") else 1


def refuse(clients: Clients) -> None:
    """Refuse a chart line that is another than that of the release that exists, or the traces that were kept.

    What cannot be seen is not refused here: the steps themselves say that they cannot see it.

    Raises:
        ConfigError: with the way that keeps the data.
    """
    wanted = clients.target.settings.langfuse.chart
    try:
        release = clients.helm.release(langfuse.RELEASE, NAMESPACE) if clients.kube.exists() else None
    except GenaiError:
        release = None
    if release is not None and line_of(release.version) != wanted.line:
        back = " (Langfuse 3 cannot read what Langfuse 4 wrote)" if wanted.line == 1 else ""
        raise ConfigError(
            f"langfuse.chart.version: chart {release.version} is installed, and {wanted.version} has another ClickHouse, which would be "
            f"empty{back}",
            remedy=advice(
                "the way that keeps the data (the version may be set already): {}, then: {}", genai("down --keep-data"), genai("up")
            )
            if wanted.line == 2
            else advice(
                "leave langfuse.chart.version at {}; or give up the traces: {}, then {}", release.version, genai("down"), genai("up")
            ),
            id="langfuse.line",
        )
    if release is None and (kept := _kept(clients)) is not None:
        _refuse_kept(kept, wanted.line, wanted.version)


def _refuse_kept(kept: Backup, line: int, version: str) -> None:
    if kept.line == 2 and line == 1:
        raise ConfigError(
            f"langfuse.chart.version: {kept.name} was written by {NAMES[2]}, which {version} cannot read back",
            remedy=advice(
                "set langfuse.chart.version to 2.0.0 or a later one; or give up what was kept: {}, then {}", genai("down"), genai("up")
            ),
            id="langfuse.line",
        )
    least = str(pins()["langfuse"]["line2"]["from_langfuse"])
    if kept.line == 1 and line == 2 and kept.langfuse is not None and _older(kept.langfuse, least):
        raise ConfigError(
            f"langfuse.chart.version: {kept.name} was written by Langfuse {kept.langfuse}; Langfuse 4 takes over from {least} or later",
            remedy=advice(
                "set langfuse.chart.version to {} and leave langfuse.image_tag out; then: {}, {}, and {} with {}",
                str(pins()["langfuse"]["line1"]["chart"]),
                genai("up"),
                genai("down --keep-data"),
                genai("up"),
                version,
            ),
            id="langfuse.line",
        )


def _kept(clients: Clients) -> Backup | None:
    try:
        return Backups(clients).last()
    except GenaiError:
        return None


def _older(version: str, least: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) if part.isdigit() else 0 for part in text.split(".")]

    return numbers(version) < numbers(least)


# -- the rewriting of what Langfuse 3 wrote -----------------------------------------------------------
def hold(clients: Clients) -> None:
    """Before Langfuse 4 is installed: nothing is rewritten while what Langfuse 3 wrote was not read back."""
    if clients.target.settings.langfuse.chart.line == 2 and _held(clients.kube) is None:
        kept = Backups(clients).last()
        if kept is not None and kept.line != 2:
            clients.kube.apply(_document("false"))


def release(kube: Kube, progress: Progress) -> bool:
    """What Langfuse 3 wrote was read back: the worker may rewrite it now. Whether anything was held."""
    if _held(kube) != "false":
        return False
    progress.say("Langfuse 4 rewrites for its own tables what Langfuse 3 wrote")
    kube.apply(_document("true"))
    writers.restart(kube, progress, (langfuse.WORKER,))
    return True


def _held(kube: Kube) -> str | None:
    found = kube.get("v1", "ConfigMap", langfuse.MIGRATION_CONFIG_MAP, NAMESPACE)
    return None if found is None else str((found.get("data") or {}).get(langfuse.BACKFILL_KEY, "true"))


def _document(value: str) -> Document:
    head = {"name": langfuse.MIGRATION_CONFIG_MAP, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "genai"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": {langfuse.BACKFILL_KEY: value}}
