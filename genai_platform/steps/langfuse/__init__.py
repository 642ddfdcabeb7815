"""The family ``langfuse``: configuration, database, ingress, operator, chart, and the traces in ClickHouse."""

from __future__ import annotations

from genai_platform.config.target import NAMESPACE, Target
from genai_platform.engine.step import Step
from genai_platform.render import langfuse, sign_in
from genai_platform.render.chart import chart_sources
from genai_platform.render.manifests import Document
from genai_platform.steps.clients import Clients
from genai_platform.steps.ingress import admitted, ingress_step
from genai_platform.steps.langfuse import traces
from genai_platform.steps.langfuse.chart import Chart
from genai_platform.steps.langfuse.operator import Operator
from genai_platform.steps.objects import Objects, Ref, database_step


def preflight(target: Target) -> None:
    """What can be seen to be wrong before anything is changed. Raises ``ConfigError``."""
    from genai_platform.tools.helm.client import check_path

    for source in chart_sources(target):
        if source.local:
            check_path(source)


def steps(clients: Clients) -> list[Step]:
    """All steps of Langfuse, in the order they are shown."""
    target = clients.target
    second_line = target.settings.langfuse.chart.line == 2

    def config() -> list[Document]:
        outputs, secrets = clients.outputs(), clients.secrets()
        made = [
            langfuse.secret_document(secrets, sign_in.client(target.settings, secrets, "langfuse")),
            langfuse.disk_config_map(target, outputs),
        ]
        return [*made, langfuse.clickhouse_account(outputs)] if second_line else made

    refs = [Ref("v1", "ConfigMap", langfuse.DISK_CONFIG_MAP), Ref("v1", "Secret", langfuse.SECRET)]
    if second_line:
        refs.append(Ref("v1", "ServiceAccount", langfuse.CLICKHOUSE_ACCOUNT))

    people = (sign_in.STEP,) if "langfuse" in sign_in.tools(target.settings) else ()
    found: list[Step] = [
        Objects(
            id="langfuse.config",
            needs=("infra.kubernetes", "infra.secrets", "infra.data", "infra.redis", "infra.storage", *people),
            minutes=0.1,
            limit=120,
            kube=lambda: clients.kube,
            documents=config,
            refs=tuple(refs),
            evidence=lambda: f"secret {langfuse.SECRET} and config map {langfuse.DISK_CONFIG_MAP} in {NAMESPACE}",
        ),
        database_step(
            "langfuse.database",
            ("infra.data", "langfuse.config"),
            lambda: clients.kube,
            lambda: langfuse.database(clients.data(), clients.secrets()),
            langfuse.DATABASE_JOB,
        ),
        ingress_step(clients, "langfuse.ingress", ("infra.kubernetes",), "langfuse", lambda: langfuse.ingress(target, admitted(clients))),
    ]
    needs: tuple[str, ...] = ("langfuse.database", "langfuse.ingress", "infra.storage", "infra.redis")
    if second_line:
        found.append(Operator(clients))
        needs = (*needs, "langfuse.operator")
    return [*found, Chart(clients, needs), traces.step(clients)]
