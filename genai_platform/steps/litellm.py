"""litellm.*: configuration, database, migration, ingress and proxy."""

from __future__ import annotations

from genai_platform.config.target import NAMESPACE, Target
from genai_platform.engine.step import Progress
from genai_platform.render import litellm, sign_in
from genai_platform.render.manifests import Document
from genai_platform.steps import serving
from genai_platform.steps.clients import Clients
from genai_platform.steps.ingress import admitted, ingress_step
from genai_platform.steps.objects import Objects, Ref, database_step, running, start_afresh
from genai_platform.tools.kubernetes import wait as kube_wait


def preflight(target: Target) -> None:
    """Raises ``ConfigError`` where ``litellm.extra_config`` gives what the platform gives."""
    litellm.proxy_config(target.settings)


def steps(clients: Clients) -> list[Objects]:
    """All steps of LiteLLM, in the order they are shown."""
    settings = clients.target.settings
    access = ("azure.model_access",) if settings.litellm.keyless else ()

    def config() -> list[Document]:
        return litellm.config(settings, clients.data(), clients.cluster().litellm_role_arn, clients.secrets())

    def proxy() -> list[Document]:
        from genai_platform.steps.azure import model_access

        role, identity = clients.cluster().litellm_role_arn, model_access.identity(clients)
        return litellm.proxy(settings, clients.data(), role, clients.secrets(), identity)

    def rolled_out(progress: Progress) -> str:
        known = litellm.secret_values(settings, clients.data(), clients.secrets()).values()
        start_afresh(clients.kube, "Deployment", "litellm")
        ready = kube_wait.rollout(clients.kube, "Deployment", "litellm", NAMESPACE, progress, 900, kube_wait.redactor(known))
        if not serving.admits_us(clients):
            return f"{ready}; not asked through the load balancer, which does not admit this machine"
        serving.wait_served(clients, "litellm", litellm.HEALTH_PATH, progress)
        return f"{ready} and served"

    people = (sign_in.STEP,) if "litellm" in sign_in.tools(settings) else ()
    return [
        Objects(
            id="litellm.config",
            needs=("infra.kubernetes", "infra.secrets", "infra.data", "infra.redis", *access, *people),
            minutes=0.1,
            limit=120,
            kube=lambda: clients.kube,
            documents=config,
            refs=(Ref("v1", "ConfigMap", "litellm-config"), Ref("v1", "Secret", "litellm"), Ref("v1", "ServiceAccount", "litellm")),
            evidence=lambda: _models(clients),
        ),
        database_step(
            "litellm.database",
            ("infra.data", "litellm.config"),
            lambda: clients.kube,
            lambda: litellm.database(clients.data(), clients.secrets()),
            "litellm-database",
        ),
        Objects(
            id="litellm.migration",
            needs=("litellm.database",),
            minutes=1.5,
            limit=1200,
            kube=lambda: clients.kube,
            documents=lambda: litellm.migration(settings, clients.data()),
            refs=(Ref("batch/v1", "Job", "litellm-migration"),),
            evidence=lambda: f"the database has the schema of {settings.litellm.image.rpartition('/')[2]}",
        ),
        ingress_step(
            clients, "litellm.ingress", ("infra.kubernetes",), "litellm", lambda: litellm.ingress(settings, admitted(clients)), service=True
        ),
        Objects(
            id="litellm.proxy",
            # Its end is that the load balancer serves it.
            needs=("litellm.migration", "litellm.ingress"),
            minutes=2.0,
            limit=1500,
            kube=lambda: clients.kube,
            documents=proxy,
            refs=(Ref("apps/v1", "Deployment", "litellm"), Ref("policy/v1", "PodDisruptionBudget", "litellm")),
            settle=rolled_out,
            health=lambda: running(clients.kube, "Deployment", "litellm"),
            evidence=lambda: f"{settings.litellm.replicas}/{settings.litellm.replicas} pods ready",
        ),
    ]


def _models(clients: Clients) -> str:
    litellm = clients.target.settings.litellm
    count, deployments = len(litellm.groups), len(litellm.models)
    behind = f" in {deployments} deployments" if deployments > count else ""
    return f"{count} model{'' if count == 1 else 's'}{behind} configured"
