"""What can be known to be wrong before anything is changed. Asked by every command that would change something."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from genai_platform.advice import joined, typed
from genai_platform.errors import ConfigError, MissingError

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.config.settings import Settings
    from genai_platform.engine.graph import Graph, Selection
    from genai_platform.engine.usual import Work
    from genai_platform.steps.clients import Clients


def names(run: Run, only: Sequence[str], skip: Sequence[str]) -> Clients:
    """The steps that were named exist: known without looking at the world.

    Returns:
        Clients of the configured world, which must not be used: it was not verified.

    Raises:
        ConfigError: a fault in the configuration, or an unknown step.
    """
    from genai_platform.steps.catalog import build
    from genai_platform.steps.clients import Clients

    if any(name.partition(".")[0] == "azure" for name in (*only, *skip)):
        azure(run.settings)
    clients = Clients(run.world.configured)
    build(clients).select(only, skip)
    return clients


def azure(settings: Settings) -> None:
    """Raise ``ConfigError`` unless this environment has an Azure half."""
    if not settings.azure.enabled:
        raise ConfigError("azure.enabled is false: this environment has no Azure half", remedy="set it in genai.toml", id="azure.disabled")


def world(run: Run, selection: Selection) -> None:
    """What only the world tells: the states, the region's zones, quotas, names and rights, EKS's versions, the models' keys.

    Raises:
        ConfigError: the region has fewer zones than the configuration asks for, EKS would refuse its Kubernetes version,
            Amazon Bedrock does not have a model, or the chart line is another one than what exists.
        MissingError: a state cannot be read, a quota is full, a name is taken, a model has no key, or Azure refuses what a step needs.
    """
    credentials(run.clients, minutes(run.clients, run.graph, selection.ids), "this run")
    states(run.clients)
    if "infra.network" in selection.ids:
        from genai_platform.steps.infra.prerequisites import preflight

        zones(run.clients)
        if warning := preflight.refuse(run.clients):
            run.screen.warn(typed(warning, run.flags))
    if "infra.cluster" in selection.ids:
        from genai_platform.steps.infra import bedrock

        kubernetes(run)
        if run.clients.target.settings.litellm.bedrock:
            bedrock.look(run.clients)
    if "infra.secrets" in selection.ids:
        keys(run.clients)
    if "langfuse.chart" in selection.ids:
        from genai_platform.steps.langfuse import chart_line

        chart_line.refuse(run.clients)
    if any(id.startswith("azure.") for id in selection.ids):
        from genai_platform.steps.azure import prerequisites

        prerequisites.refuse(run.clients)


def minutes(clients: Clients, graph: Graph, ids: Iterable[str], work: Work = "create") -> float:
    """How long a run on the real clouds takes that does this to each of these steps, by what it usually took in this environment."""
    from genai_platform.engine.journal import read
    from genai_platform.engine.usual import usual

    known = usual(read(clients.target.folder / "journal.jsonl"))
    return known.critical_path(graph, dict.fromkeys(ids, work))[1] / 60


def credentials(clients: Clients, minutes: float, command: str) -> str:
    """The AWS credentials last as long as the run: what ends in its middle leaves work half done. Answers until when they last.

    Args:
        clients: of the outside systems.
        minutes: how long the run takes, as estimated; half of that again is asked for, and five minutes at least.
        command: what is about to run, for the message.

    Raises:
        MissingError: they end before, and no program can get new ones.
    """
    end = clients.aws.credentials_end()
    if end is None:
        return "they do not end, or are renewed without a person"
    left, wanted = (end - datetime.now(UTC)).total_seconds() / 60, max(5.0, 1.5 * minutes)
    if left < wanted:
        raise MissingError(
            f"the AWS credentials end in {max(0, left):.0f} minutes ({end:%H:%M} UTC), and {command} may need {wanted:.0f}",
            remedy="sign in again, e.g. with: aws sso login; where they are in this shell's variables, export new ones (aws configure "
            "export-credentials --format env), or set AWS_PROFILE to a profile that renews them by itself and unset AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            id="aws.credentials_end",
        )
    return f"they last another {left:.0f} minutes; {command} may need {wanted:.0f}"


def states(clients: Clients) -> None:
    """Every state can be read. One that cannot is never taken for an empty one. Raises ``MissingError``."""
    from genai_platform.tools.terraform.client import ROOTS
    from genai_platform.tools.terraform.state import StateUnreadable

    for root in ROOTS:
        try:
            clients.terraform.state.read(root)
        except StateUnreadable as error:
            remedy = error.remedy or f"look at {clients.terraform.state.place(root)}"
            raise MissingError(error.message, remedy=remedy, id=error.id) from None


def zones(clients: Clients) -> int:
    """How many zones the region has. Raises ``ConfigError`` when more are asked for."""
    settings = clients.target.settings
    found, wanted, region = clients.aws.zones(), settings.network.zones, settings.platform.region
    if len(found) < wanted:
        raise ConfigError(
            f"network.zones: {wanted} is not allowed; {region} has {len(found)} zones",
            remedy=f"set network.zones to {len(found)} or less",
            id="config.zones",
        )
    return len(found)


def kubernetes(run: Run) -> None:
    """EKS takes the configured version; what a person should know about it is shown. Raises ``ConfigError``."""
    from genai_platform.steps.infra import cluster_version

    if notice := cluster_version.look(run.clients).notice:
        run.screen.warn(notice)


def keys(clients: Clients) -> None:
    """Every model's key is at hand, or was stored before. Raises ``MissingError`` that names all that are not."""
    from genai_platform.steps.azure.openai.account import key_variables
    from genai_platform.steps.infra.secrets import missing_key

    absent: Sequence[str] = [name for name in clients.target.settings.litellm.key_variables if not os.environ.get(name)]
    if not absent:
        return
    stored = kept_keys(clients)
    absent = [name for name in absent if name not in stored]
    read = key_variables(clients) if absent else frozenset()
    faults = [missing_key(clients, name) for name in absent if name not in read]
    if faults:
        remedy = joined(*dict.fromkeys(fault.remedy for fault in faults))
        raise MissingError("\n".join(fault.message for fault in faults), remedy=remedy, id=faults[0].id)


def kept_keys(clients: Clients) -> frozenset[str]:
    """The variables whose values lie in Secrets Manager from an earlier day."""
    return frozenset((clients.aws.secret_document() or {}).get("upstream_keys") or ())
